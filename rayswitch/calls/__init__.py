"""What the switch decides: registrations and calls as machines, and what they need to decide it.

No sockets, no clock, no Ray: events in, effects out (`events.py`, `effects.py`).
"""
