"""`python -m benchmarks.outage [SECONDS]`: PostgreSQL away for a minute (or so long) under calls and registrations.

First it is stopped, then it stands still.  Exit code 1 when a call or registration failed, or a record is missing.
"""

import sys
from collections.abc import Callable
from functools import partial

from tests.interop.outage import Outage, check, live_through, people
from tests.interop.postgres import Postgres
from tests.interop.switch import Switch


def _say(name: str, outage: Outage) -> None:
    print(
        f"{name}: {outage.made.successful} calls and {outage.registered.successful} registrations, 0 failed;"
        f" {outage.waiting} records waited on disk, all in the database {outage.back:.1f} s after it was back;"
        f" {outage.registered.repeated_by_sipp} REGISTER repeated, slowest answer"
        f" {max(outage.registered.response_times, default=0.0):.2f} s",
        flush=True,
    )
    for alarm in outage.alarms:
        print(f"  {alarm['host']}: {alarm['what']}", flush=True)


TROUBLES: dict[str, tuple[Callable[[Postgres], None], Callable[[Postgres], None]]] = {
    "stopped": (Postgres.stop, Postgres.start),
    "frozen": (Postgres.freeze, Postgres.thaw),
}


def main() -> int:
    """An AssertionError says what was lost."""
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else 60)
    with (
        Postgres() as postgres,
        Switch(settings={"store": postgres.new_database(), "registration": {"max_contacts": 1}}) as switch,
    ):
        people(switch)
        for name, (away, again) in TROUBLES.items():
            outage = live_through(switch, partial(away, postgres), partial(again, postgres), seconds)
            check(switch, outage, seconds)
            _say(f"{name} for {seconds:g} s", outage)
    return 0


if __name__ == "__main__":
    sys.exit(main())
