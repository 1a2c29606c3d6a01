"""A running switch for the tests of this folder.

A switch takes seconds to start, so one is shared by all tests of a module; a module that wants several
shapes of it parametrises `switch` indirectly with the arguments of `Switch`.
"""

from collections.abc import Iterator

import pytest

from tests.interop.switch import Switch


@pytest.fixture(scope="module")
def switch(request: pytest.FixtureRequest) -> Iterator[Switch]:
    """A switch that is ready; `request.param`, if given, holds the arguments of `Switch`."""
    with Switch(**getattr(request, "param", {})) as running:
        yield running
