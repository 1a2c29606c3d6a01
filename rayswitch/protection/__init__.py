"""What keeps a SIP gateway well: bans and address lists, limits of rate, overload control.

Pure machines with the time handed in: no socket, no clock.  `Guard` is what a gateway asks before it parses anything.
"""

from rayswitch.protection.addresses import Networks
from rayswitch.protection.bans import Ban, Bans
from rayswitch.protection.buckets import Buckets
from rayswitch.protection.failures import Failures
from rayswitch.protection.guard import Guard
from rayswitch.protection.overload import Overload

__all__ = ["Ban", "Bans", "Buckets", "Failures", "Guard", "Networks", "Overload"]
