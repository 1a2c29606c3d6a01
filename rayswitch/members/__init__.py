"""Which hosts there are: the snapshot that everybody has, and the machines that make it and live by it.

    snapshot     `Members`: what the Switchboard tells everybody, immutable and numbered
    membership   `Membership`: in the Switchboard; makes the next snapshot of what is heard and asked for
    shares       `Share`: in a home of registrations; when may it answer for keys that were another home's?
    isolation    `Isolation`: in every host; is it cut off from the others?

Nothing here knows a clock, a socket or Ray.
"""

from rayswitch.members.isolation import Isolation
from rayswitch.members.membership import Membership, Terms
from rayswitch.members.shares import Share
from rayswitch.members.snapshot import AWAY, DEAD, DRAINING, LEAVING, UP, Member, Members, Seat

__all__ = [
    "AWAY",
    "DEAD",
    "DRAINING",
    "LEAVING",
    "UP",
    "Isolation",
    "Member",
    "Members",
    "Membership",
    "Seat",
    "Share",
    "Terms",
]
