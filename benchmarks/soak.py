"""`python -m benchmarks.soak [MINUTES]`: calls and registrations over a lossy network, for as long as you like.

Each round registers callees again and makes calls while 5 % of the datagrams are lost both ways. What must hold:
no call fails, none is left over, and memory does not grow after the first rounds.
"""

import sys
import time

from tests.interop.lossy import Lossy
from tests.interop.ports import free_port
from tests.interop.processes import pss_bytes
from tests.interop.sipp import Sipp, User, register
from tests.interop.switch import DOMAIN, Switch, users

CALLS, RATE, HOLD, LOSS = 1500, 25, 3000, 0.05
WARM_ROUNDS = 2
GROWTH = 20 << 20


def _round(switch: Switch, callers: list[User], callees: list[User], seed: int) -> None:
    near, far, server = free_port(), free_port(), ("127.0.0.1", switch.port)
    with (
        Lossy(("127.0.0.1", near), server, LOSS, seed) as near_caller,
        Lossy(("127.0.0.1", far), server, LOSS, seed + 1) as near_callee,
    ):
        contact = near_callee.back
        registered = register(near_callee.front, DOMAIN, callees, port=far, contact=contact)
        with (
            Sipp("callee", near_callee.front, domain=DOMAIN, port=far, contact=contact, linger=12_000) as callee,
            Sipp(
                "caller",
                near_caller.front,
                domain=DOMAIN,
                users=callers,
                calls=CALLS,
                rate=RATE,
                hold=HOLD,
                port=near,
                contact=near_caller.back,
                timeout=300,
            ) as caller,
        ):
            made = caller.result()
            switch.await_idle(40)
            taken = callee.stop()
    for result in (registered, made, taken):
        if result.failed:
            raise RuntimeError(f"{result.failed} failed: {result.errors[:2000]}")


def main() -> int:
    """Exit code 1 when memory grew; a failed call raises."""
    end = time.monotonic() + 60 * float(sys.argv[1] if len(sys.argv) > 1 else 60)
    callers, callees = users(1000, 200, dialled=2000), users(2000, 200)
    sizes: list[int] = []
    with Switch(settings={"registration": {"max_contacts": 1}}) as switch:
        switch.import_users([*callers, *callees])
        while time.monotonic() < end or len(sizes) <= WARM_ROUNDS:
            _round(switch, callers, callees, seed=2 * len(sizes))
            sizes.append(pss_bytes(switch.all_pids()))
            print(f"round {len(sizes)}: {CALLS} calls, {sizes[-1] / 1e6:.1f} MB", flush=True)
    return int(max(sizes[WARM_ROUNDS:]) - sizes[WARM_ROUNDS - 1] > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
