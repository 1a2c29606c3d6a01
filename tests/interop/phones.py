"""Real SIP phones: baresip processes on loopback, each with a folder of its own.

A `Baresip` is started, told over its control connection (baresip's module ctrl_tcp: JSON in netstrings)
what to do, and answers with events that a test awaits: no sleeps. Its microphone is a WAV file that
`aufile` plays; everything that it hears is decoded and written by `sndfile`, so a test can look for the
other side's tone in it.

Traps of baresip 1.0.0: `net_interface` takes an address and must, else it refuses to run on loopback; a
file as source needs the sample rate of the codec; the recording is complete only after the process has
ended.
"""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from tests.interop.audio import make_tone, seconds_of_tone
from tests.interop.ports import free_port

Event = dict[str, Any]

_MODULES = "/usr/lib/baresip/modules"
_CONFIG = """\
poll_method epoll
sip_listen {listen}
net_interface {address}
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {control}
audio_source aufile,{tone}
snd_path {folder}
rtp_ports {rtp}
call_max_calls 4
"""


class Baresip:
    """A phone of `number` that registers at `switch` ("127.0.0.1:5060", "[::1]:5060") over `transport`
    ("udp", "tcp").

    `tone` is the frequency in Hz that it sends while in a call. `answer` is baresip's answer mode: "auto"
    or "manual".
    """

    def __init__(
        self,
        number: str,
        password: str,
        switch: str,
        domain: str,
        *,
        transport: str = "udp",
        tone: int = 440,
        answer: str = "auto",
    ) -> None:
        self.number, self.domain, self.switch = number, domain, switch
        self._folder = Path(tempfile.mkdtemp(prefix=f"baresip-{number}-"))
        self._address = "::1" if switch.startswith("[") else "127.0.0.1"
        self._control = free_port("127.0.0.1")
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._write_config(password, transport, tone, answer)

    def _write_config(self, password: str, transport: str, tone: int, answer: str) -> None:
        literal = f"[{self._address}]" if ":" in self._address else self._address
        make_tone(self._folder / "tone.wav", tone, seconds=60)
        first, sip = free_port(self._address, span=20), free_port(self._address, span=2)  # TLS listens on the next
        self.media_ports = range(first, first + 20)
        (self._folder / "config").write_text(
            _CONFIG.format(
                listen=f"{literal}:{sip}",
                address=self._address,
                modules=_MODULES,
                control=f"127.0.0.1:{self._control}",
                tone=self._folder / "tone.wav",
                folder=self._folder,
                rtp=f"{first}-{first + 19}",
            )
        )
        (self._folder / "accounts").write_text("")
        (self._folder / "contacts").write_text("")
        self._account = (
            f'<sip:{self.number}@{self.domain}>;outbound="sip:{self.switch};transport={transport}"'
            f";auth_user={self.number};auth_pass={password};answermode={answer};regint=120;audio_codecs=PCMU"
        )

    def __enter__(self) -> Self:
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            ["baresip", "-s", "-f", str(self._folder)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=self._folder,
        )
        try:
            self._connection = self._connect()
        except BaseException:
            self._end()
            raise
        threading.Thread(target=self._read_events, daemon=True, name=f"events of {self.number}").start()
        return self

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + 10
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self._control), timeout=None)
            except ConnectionRefusedError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"baresip {self.number} did not start:\n{self.log()}") from None
                time.sleep(0.02)

    def _read_events(self) -> None:
        stream = self._connection.makefile("rb")
        while True:
            length = b""
            while (digit := stream.read(1)).isdigit():
                length += digit
            if not digit:
                return
            message = json.loads(stream.read(int(length)))
            stream.read(1)
            with self._changed:
                self.events.append(message)
                self._changed.notify_all()

    def _command(self, command: str, parameter: str = "") -> None:
        text = json.dumps({"command": command, "params": parameter, "token": command})
        self._connection.sendall(b"%d:%s," % (len(text), text.encode()))
        answer = self.wait(lambda event: event.get("token") == command, f"an answer to {command}", forget=True)
        assert answer.get("ok"), f"phone {self.number} refused {command} {parameter}: {answer}"

    def wait(self, wanted: Callable[[Event], object], what: str, timeout: float = 15.0, forget: bool = False) -> Event:
        """The first event, past or to come, for which `wanted` holds; `forget` takes it out of `events`."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self.events:
                    if wanted(event):
                        if forget:
                            self.events.remove(event)
                        return event
                if not self._changed.wait(deadline - time.monotonic()):
                    seen = [event.get("type", event) for event in self.events]
                    raise AssertionError(f"phone {self.number}: no {what}; saw {seen}\n{self.log()[-3000:]}")

    def wait_event(self, kind: str, timeout: float = 15.0) -> Event:
        """Await and take the event `kind` (REGISTER_OK, CALL_ESTABLISHED, CALL_CLOSED, …)."""
        return self.wait(lambda event: event.get("type") == kind, kind, timeout, forget=True)

    def register(self) -> Self:
        """Register and await the 200. The account is made only now, lest its first events come before our
        ears.
        """
        self._command("uanew", self._account)
        self.wait_event("REGISTER_OK")
        return self

    def dial(self, number: str) -> None:
        """Call `number` of the same domain."""
        self._command("dial", f"sip:{number}@{self.domain}")

    def accept(self) -> None:
        """Answer the call that rings."""
        self._command("accept")

    def hold(self) -> None:
        """Put the call on hold (re-INVITE with sendonly)."""
        self._command("hold")

    def resume(self) -> None:
        """Take the call back."""
        self._command("resume")

    def transfer(self, number: str) -> None:
        """Hand the other side over to `number` (REFER), unseen."""
        self._command("transfer", f"sip:{number}@{self.domain}")

    def transfer_attended(self, number: str, replaces: str) -> None:
        """Hand the other side of this call over to that of another one of ours (see `replaces`); this baresip has no
        command for it, and writes what stands in the URI."""
        self._command("transfer", f"<sip:{number}@{self.domain}?Replaces={quote(replaces, safe='')}>")

    def replaces(self) -> str:
        """Our last call that was answered, as a Replaces header names it to the other side (RFC 3891 §6.1)."""
        answers = re.findall(r"SIP/2\.0 200 .*?\r?\n\r?\n", self.log(), re.DOTALL)
        answer = next(text for text in reversed(answers) if re.search(r"CSeq: \d+ INVITE", text))
        values = {name: re.search(rf"^{name}: *(.*?)\r?$", answer, re.MULTILINE) for name in ("Call-ID", "From", "To")}
        call_id, caller, called = (match[1] if match else "" for match in values.values())
        ours, theirs = (re.findall(r"tag=([^;\s]+)", value)[0] for value in (caller, called))
        return f"{call_id};to-tag={theirs};from-tag={ours}"

    def hang_up(self) -> None:
        """End the call, or refuse the one that rings."""
        self._command("hangup")

    def wait_log(self, text: str, timeout: float = 15.0) -> None:
        """Await that baresip has printed `text`."""
        deadline = time.monotonic() + timeout
        while text not in self.log():
            assert time.monotonic() < deadline, f"phone {self.number}: no {text!r}\n{self.log()[-3000:]}"
            time.sleep(0.02)

    def log(self) -> str:
        """What baresip printed, its messages among it, but for the clock that it shows."""
        return re.sub(r"\r*\[[^\]\r\n]*\] audio=[^\r\n]*", "", (self._folder / "log").read_text(errors="replace"))

    def hear(self, tone: int, seconds: float, timeout: float = 15.0) -> None:
        """Await that a call, this one or an earlier, has let us hear `tone` (Hz) for `seconds`."""
        deadline = time.monotonic() + timeout
        while (longest := max((seconds_of_tone(path, tone) for path in self._recordings()), default=0.0)) < seconds:
            assert time.monotonic() < deadline, (
                f"phone {self.number}: {longest:.2f} s of {tone} Hz, wanted {seconds} s\n{self.log()[-3000:]}"
            )
            time.sleep(0.1)

    def _recordings(self) -> list[Path]:
        """From the shortest to the longest."""
        return sorted(self._folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_size)

    def heard(self) -> Path:
        """The recording of the longest call so far; call it after the call ended."""
        recordings = self._recordings()
        assert recordings, f"phone {self.number} recorded nothing:\n{self.log()[-2000:]}"
        return recordings[-1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._connection.close()

    def _end(self) -> None:
        self._process.terminate()  # it un-registers
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder)
