"""How property tests run: the same examples every time, as long as the machine needs for them.

`make soak` looks for new ones: `pytest --hypothesis-profile=random`.
"""

from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("random", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("seeded")
