"""SIPp as caller, callee and registering phone, with the scenarios of `sipp/`.

`Sipp` starts one process in a folder of its own; `result()` awaits its end and reads its statistics. A
callee serves until `stop()`. What counts as trouble is separate in `Result`: calls that failed, messages
that SIPp had to repeat (the switch was late), repetitions that SIPp received (the switch repeated without
need), and unexpected messages.
"""

import csv
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.interop.ports import free_port

SCENARIOS = Path(__file__).parent / "sipp"
TRANSPORTS = {"udp": "u1", "tcp": "t1", "udp, many ports": "un"}


class User(NamedTuple):
    """Who acts in a call or registration; `dialled` is the number that this caller dials."""

    number: str
    password: str
    dialled: str = ""

    def row(self) -> str:
        """The line of SIPp's injection file."""
        return f"{self.number};[authentication username={self.number} password={self.password}];{self.dialled}"


class Result(NamedTuple):
    """Statistics of one SIPp process. Times in seconds."""

    successful: int
    failed: int
    repeated_by_sipp: int
    repeated_by_switch: int
    unexpected: int
    response_times: list[float]
    errors: str
    refusal_times: Sequence[float] = ()

    def percentile(self, share: float) -> float:
        """The response time that `share` of the calls kept."""
        return percentile(self.response_times, share)


def percentile(times: Sequence[float], share: float) -> float:
    """What `share` of these times do not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Sipp:
    """One SIPp process towards `remote` ("127.0.0.1:5060", "[::1]:5060").

    Args:
        scenario: name of a file in `sipp/`, without `.xml`.
        users: taken in turn, one per call; a callee needs none.
        calls: how many calls, then SIPp ends; 0 for a callee.
        rate: calls per second.
        hold: milliseconds of the scenario's pause.
        transport: "udp" or "tcp" (one connection), or "udp, many ports": each call from a port of its own.
        port: the local SIP port; a free one if 0.
        contact: what stands in Contact; default the local address and port.
        linger: milliseconds for which a callee still answers repetitions of the BYE.
        limit: calls at a time; the default of SIPp (3 × rate × duration) if 0.
        timeout: seconds after which SIPp gives up.
        address: the local one; loopback if "".
    """

    def __init__(
        self,
        scenario: str,
        remote: str,
        *,
        domain: str,
        users: Sequence[User] = (),
        calls: int = 0,
        rate: float = 10.0,
        hold: int = 0,
        transport: str = "udp",
        port: int = 0,
        contact: str = "",
        limit: int = 0,
        linger: int = 500,
        timeout: int = 120,
        extra: Iterable[str] = (),
        address: str = "",
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"sipp-{scenario}-"))
        address = address or ("::1" if remote.startswith("[") else "127.0.0.1")
        literal = f"[{address}]" if ":" in address else address
        self.port = port or free_port(address)
        self._timeout = timeout
        self._scenario = scenario
        command = ["sipp", remote, "-sf", f"{scenario}.xml", "-i", literal, "-p", str(self.port)]
        command += [
            "-mi",
            literal,
            "-mp",
            str(free_port(address, span=4)),
            "-t",
            TRANSPORTS[transport],
        ]
        command += ["-key", "domain", domain, "-key", "contact", contact or f"{literal}:{self.port}"]
        command += [
            "-r",
            str(rate),
            "-d",
            str(hold),
            "-nostdin",
            "-timer_resol",
            "1",
            "-buff_size",
            "2097152",
            "-max_socket",
            "4000",
        ]
        command += ["-timeout", str(timeout), "-timeout_error", "-trace_err", "-error_file", "errors"]
        command += [
            "-trace_stat",
            "-stf",
            "statistics",
            "-fd",
            "1",
            "-trace_counts",
            "-trace_rtt",
            "-rtt_freq",
            "1",
        ]
        text = (SCENARIOS / f"{scenario}.xml").read_text().replace("LINGER", str(linger))
        (self._folder / f"{scenario}.xml").write_text(text)
        if users:
            rows = "\n".join(user.row() for user in users)
            (self._folder / "users.csv").write_text(f"SEQUENTIAL\n{rows}\n")
            command += ["-inf", "users.csv"]
        if calls:
            command += ["-m", str(calls)]
        if limit:
            command += ["-l", str(limit)]
        self._command = [*command, *extra]

    def __enter__(self) -> Self:
        self._output = (self._folder / "output").open("wb")
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        deadline = time.monotonic() + 5
        while not list(self._folder.glob("statistics")):  # written once its sockets are bound
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"SIPp did not start: {self._read('output')[-2000:]}{self._read('errors')}")
            time.sleep(0.01)
        return self

    def result(self) -> Result:
        """Await the end of all calls."""
        self._process.wait(self._timeout + 20)
        last = self._last_row("statistics")
        counts = self._last_row(f"{self._scenario}_{self._process.pid}_counts.csv")

        def total(suffix: str, row: dict[str, str] = counts) -> int:
            return sum(int(value) for name, value in row.items() if name.endswith(suffix) and value)

        sent = {name.removesuffix("_Sent") for name in counts if name.endswith("_Sent")}
        repeated = {
            name.removesuffix("_Retrans"): int(n or 0) for name, n in counts.items() if name.endswith("_Retrans")
        }
        return Result(
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            repeated_by_sipp=sum(n for name, n in repeated.items() if name in sent),
            repeated_by_switch=sum(n for name, n in repeated.items() if name not in sent),
            unexpected=total("_Unexp"),
            response_times=self._times("1"),
            errors=self._read("errors"),
            refusal_times=tuple(self._times("2")),
        )

    def _last_row(self, name: str) -> dict[str, str]:
        with (self._folder / name).open(newline="") as file:
            rows = [row for row in csv.reader(file, delimiter=";") if row]
        return dict(zip(rows[0], rows[-1], strict=False))

    def _times(self, timer: str) -> list[float]:
        """What timer number `timer` of the scenario has measured."""
        path = self._folder / f"{self._scenario}_{self._process.pid}_rtt.csv"
        if not path.exists():
            return []
        with path.open(newline="") as file:
            rows = list(csv.reader(file, delimiter=";"))[1:]
        return [float(row[1]) / 1000 for row in rows if row[2] == timer]

    def _read(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """Process id of SIPp."""
        return self._process.pid

    def stop(self) -> Result:
        """Let running calls end, then end; for callees."""
        self._process.send_signal(signal.SIGUSR1)
        return self.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._output.close()
        shutil.rmtree(self._folder)


def register(
    remote: str,
    domain: str,
    users: Sequence[User],
    *,
    rate: float = 200.0,
    port: int = 0,
    contact: str = "",
    transport: str = "udp",
    address: str = "",
) -> Result:
    """Register every user once."""
    with Sipp(
        "register",
        remote,
        domain=domain,
        users=users,
        calls=len(users),
        rate=rate,
        port=port,
        contact=contact,
        transport=transport,
        address=address,
    ) as sipp:
        return sipp.result()
