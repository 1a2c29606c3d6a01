"""The commands as a shell sees them: output, complaints, exit codes; with a switch and without."""

import asyncio
import csv
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import actors
from actors.cli import first_start, main
from actors.link import LinkError, Links
from actors.rundir import run_dir
from rayswitch.config import Config, load
from rayswitch.sip.digest import ha1
from rayswitch.store import Extensions, Store, add_cdr


class Shell:
    """Runs commands in a folder of their own: `run` gives exit code, standard output, standard error."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out, err = self.capture.readouterr()
        return int(caught.value.code or 0), out, err

    def json(self, *arguments: str) -> Any:
        code, out, err = self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    Path("switch.yaml").write_text("domain: example.com\n")
    return Shell(capsys)


class Switchboard:
    """Stands in for a running switch: answers from `answers`, remembers what it was asked."""

    def __init__(self, config: Config) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.entries: list[Any] = []
        self.folder = run_dir(config)
        self.loop = asyncio.new_event_loop()
        self.over = asyncio.Event()
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self.serve(),))

    async def serve(self) -> None:
        self.folder.mkdir(parents=True)
        self.links = Links("sw", time.time_ns(), self.folder)
        self.links.on("control", self.control)
        await self.links.start()
        self.listening.set()
        await self.over.wait()
        await self.links.close()

    def control(self, peer: str, payload: Any) -> Any:
        command, arguments = payload
        self.asked.append([command, arguments])
        for entry in self.entries if command == "trace" else []:
            self.links.tell(peer, "trace", entry)
        answer = self.answers.get(command)
        if isinstance(answer, LinkError):
            raise answer
        return answer


@pytest.fixture
def switchboard(shell: Shell) -> Iterator[Switchboard]:
    running = Switchboard(load("switch.yaml"))
    running.thread.start()
    assert running.listening.wait(5)
    yield running
    running.loop.call_soon_threadsafe(running.over.set)
    running.thread.join(5)
    running.loop.close()


def stored(number: str) -> Any:
    config = load("switch.yaml")
    with Store.open(config.store) as store:
        return Extensions(store, config.domain).find(number)


def test_an_extension_from_beginning_to_end(shell: Shell) -> None:
    made = shell.json("extension", "add", "100", "--name", "Anna")
    assert len(made["password"]) == 14
    row = stored("100")
    assert row.ha1_md5 == ha1("100", "example.com", made["password"], "MD5")
    assert row.ha1_sha256 == ha1("100", "example.com", made["password"], "SHA-256")
    assert shell.run("extension", "passwd", "100", "--password", "new") == (0, "extension 100: done\n", "")
    assert (stored("100").ha1_md5, stored("100").name) == (ha1("100", "example.com", "new", "MD5"), "Anna")
    assert shell.json("extension", "list") == [{"number": "100", "name": "Anna", "domain": "example.com"}]
    assert shell.run("extension", "list") == (0, "number  name\n100     Anna\n", "")
    assert shell.run("extension", "remove", "100") == (0, "removed 100\n", "")
    assert shell.run("extension", "list") == (0, "no extensions\n", "")


def test_a_password_from_standard_input(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", type("Input", (), {"readline": staticmethod(lambda: "piped\n")}))
    assert shell.run("extension", "add", "100", "--password", "-")[0] == 0
    assert stored("100").ha1_md5 == ha1("100", "example.com", "piped", "MD5")


def test_what_is_not_there_or_there_already(shell: Shell) -> None:
    shell.run("extension", "add", "100")
    for arguments, problem in {
        ("add", "100"): "extension 100 exists already",
        ("passwd", "101"): "extension 101 does not exist",
        ("remove", "100", "101"): "extension 101 does not exist",
    }.items():
        code, out, err = shell.run("extension", *arguments)
        assert (code, out) == (1, "")
        assert problem in err
    assert stored("100") is not None


def test_bad_values_are_usage_errors(shell: Shell) -> None:
    for arguments in (
        ("add", "1 0"),
        ("add", "100", "--password", ""),
        ("add", "100", "--name", "a\nb"),
        ("add",),
        ("x",),
    ):
        code, out, err = shell.run("extension", *arguments)
        assert (code, out) == (2, "")
        assert err


def test_import(shell: Shell) -> None:
    shell.run("extension", "add", "100", "--name", "old")
    Path("phones.csv").write_text("number,password,name\n100,x,Anna\n101,y,\n")
    assert shell.json("extension", "import", "phones.csv") == {"added": 1, "replaced": 1}
    assert (stored("100").name, stored("101").ha1_md5) == ("Anna", ha1("101", "example.com", "y", "MD5"))
    Path("phones.csv").write_text("number,password,name\n102,x,\n1 0,y,\n")
    code, out, err = shell.run("extension", "import", "phones.csv")
    assert (code, out, stored("102")) == (2, "", None)
    assert err.startswith("rayswitch: phones.csv:3: expected a number")


def test_importing_100000_rows_takes_seconds(shell: Shell) -> None:
    rows = (f"{number},secret{number},Phone {number}\n" for number in range(100_000, 200_000))
    Path("phones.csv").write_text("number,password,name\n" + "".join(rows))
    begun = time.monotonic()
    assert shell.run("extension", "import", "phones.csv") == (0, "added 100,000 extensions, replaced 0\n", "")
    assert time.monotonic() - begun < 30


def test_cdr(shell: Shell) -> None:
    with Store.open(load("switch.yaml").store) as store:
        answered = {
            "start": 100.0,
            "answer": 105.0,
            "duration": 65.0,
            "sip_status": 200,
            "cause": "normal clearing",
        }
        row = {
            "call_id": "c1",
            "caller": "100",
            "dialled": "101",
            "reached": "101",
            "release_side": "a",
            "codec": "PCMA",
        }
        store.apply(
            [
                add_cdr(row | answered),
                add_cdr(row | {"leg": "a"}),
                add_cdr({"call_id": "c2", "caller": "evil\x1b[2J"}),
            ]
        )
    assert [row["call_id"] for row in shell.json("cdr")] == ["c1", "c2"]
    assert len(shell.json("cdr", "--legs")) == 3
    assert [row["leg"] for row in shell.json("cdr", "--call", "c1")] == ["call", "a"]
    assert len(shell.json("cdr", "-n", "1")) == 1
    assert shell.json("cdr", "--since", "1h") == []
    assert [row["call_id"] for row in shell.json("cdr", "--until", "1970-01-01T00:01:00")] == ["c2"]
    code, out, _ = shell.run("cdr")
    assert code == 0
    assert "\x1b" not in out
    cells = out.splitlines()[1].split("  ")
    assert [cell.strip() for cell in cells if cell] == [
        "1970-01-01 00:01:40", "call", "100", "101", "101", "1:05", "a", "200 normal clearing", "PCMA",
    ]  # fmt: skip

    table = list(csv.DictReader(io.StringIO(shell.run("cdr", "--csv", "--legs")[1])))
    assert sorted(row["call_id"] for row in table) == ["c1", "c1", "c2"]
    begun = next(row["start"] for row in table if row["start"])
    assert datetime.fromisoformat(begun).timestamp() == 100.0
    assert len(shell.run("cdr", "--csv", "--day", "1970-01-01", "-n", "1")[1].splitlines()) == 2
    assert len(shell.run("cdr", "--csv", "--day", "yesterday")[1].splitlines()) == 1
    code, _, err = shell.run("cdr", "--day", "someday")
    assert code == 2 and "expected 2026-01-31, today or yesterday, got 'someday'" in err


def test_a_bad_moment_is_a_usage_error(shell: Shell) -> None:
    code, _, err = shell.run("cdr", "--since", "yesterday")
    assert code == 2
    assert "expected 2026-01-31T12:00, or 30m, 2h, 7d ago, got 'yesterday'" in err


@pytest.mark.parametrize("command", ["status", "registrations", "calls", "actors", "trace"])
def test_without_a_switch(shell: Shell, command: str) -> None:
    code, out, err = shell.run(command)
    assert (code, out) == (1, "")
    assert err.startswith("rayswitch: no switch is running with data folder ")


def test_whoever_polls_for_ready_gets_json(shell: Shell) -> None:
    code, out, _ = shell.run("status", "--json")
    assert (code, json.loads(out)) == (1, {"ready": False})


def test_a_socket_that_nobody_listens_on_is_no_switch(shell: Shell) -> None:
    folder = run_dir(load("switch.yaml"))
    folder.mkdir(parents=True)
    (folder / "sw.sock").write_text("")
    assert shell.run("status")[0] == 1
    assert shell.run("extension", "add", "100")[0] == 0


def test_a_bad_configuration_is_named(shell: Shell) -> None:
    Path("other.yaml").write_text("sip:\n  gatways: 2\n")
    for command in (["up"], ["down"], ["status"], ["cdr"], ["extension", "list"], ["trace"]):
        code, out, err = shell.run(*command, "-c", "other.yaml")
        assert (code, out) == (2, "")
        assert err == "rayswitch: other.yaml:2: sip.gatways: unknown key, did you mean 'gateways'?\n"


def test_a_store_that_cannot_be_opened_is_named(shell: Shell) -> None:
    Path("switch.yaml").write_text("data: switch.yaml\n")
    code, out, err = shell.run("extension", "list")
    assert (code, out) == (1, "")
    assert "switch.yaml: " in err


def test_a_running_switch_hears_of_changes(shell: Shell, switchboard: Switchboard) -> None:
    shell.run("extension", "add", "100")
    assert switchboard.asked == [["reload", {}]]
    switchboard.answers["reload"] = LinkError("no store")
    code, _, err = shell.run("extension", "remove", "100")
    assert code == 0
    assert "the running switch does not have it yet: reload: no store" in err


def test_live_tables(shell: Shell, switchboard: Switchboard) -> None:
    rows = [{"aor": "100@example.com", "uri": "sip:100@192.0.2.1", "expires": 59.0, "q": 0.5}]
    switchboard.answers["registrations"] = rows
    assert shell.json("registrations") == rows
    assert shell.run("registrations")[1].splitlines() == [
        "address of record  contact            expires in    q",
        "100@example.com    sip:100@192.0.2.1        0:59  0.5",
    ]
    switchboard.answers["calls"] = []
    assert shell.run("calls") == (0, "no calls\n", "")


def test_status(shell: Shell, switchboard: Switchboard) -> None:
    processes = [
        {"id": 7, "role": "raylet", "memory": 41_000_000},
        {"id": 8, "role": "s0", "memory": 1_000_000},
    ]
    listeners = ["udp://127.0.0.1:5060"]
    switchboard.answers["status"] = {
        "ready": True,
        "listeners": listeners,
        "counts": {"calls": 2},
        "processes": processes,
    }
    assert shell.json("status")["processes"] == processes
    assert shell.run("status")[1].splitlines() == [
        "ready      yes",
        "listeners  udp://127.0.0.1:5060",
        "counts     calls 2",
        "processes: 2, memory 42 MB",
        "pid  role    memory",
        "  7  raylet   41 MB",
        "  8  s0        1 MB",
    ]


def test_an_answer_that_is_a_failure(shell: Shell, switchboard: Switchboard) -> None:
    switchboard.answers["calls"] = LinkError("s0 was lost")
    assert shell.run("calls") == (1, "", "rayswitch: calls: s0 was lost\n")


def test_trace(shell: Shell, switchboard: Switchboard) -> None:
    text = "OPTIONS sip:example.com SIP/2.0\r\nX: \x1b[2J\r\n\r\n"
    entry = {"time": 1.5, "direction": "in", "transport": "UDP", "remote": ["192.0.2.1", 5060], "text": text}
    switchboard.entries = [entry] * 3
    code, out, _ = shell.run("trace", "--json", "-n", "2")
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, [entry, entry])
    code, out, _ = shell.run("trace", "-n", "1", "--full")
    assert code == 0
    assert "OPTIONS example.com" in out
    assert "    X: \N{REPLACEMENT CHARACTER}[2J" in out


def test_version(shell: Shell) -> None:
    code, out, _ = shell.run("--version")
    assert code == 0
    assert out.startswith("rayswitch ")


def test_the_first_start_makes_three_extensions_once(shell: Shell) -> None:
    config = load("switch.yaml")
    made = first_start.create(config)
    assert [number for number, _ in made] == ["100", "101", "102"]
    assert len({password for _, password in made}) == 3
    assert stored("101").ha1_md5 == ha1("101", "example.com", made[1][1], "MD5")
    assert all(f"{number}  password {password}" in first_start.announcement(config, made) for number, password in made)
    assert first_start.create(config) == []
    assert first_start.announcement(config, []) == ""
    shell.run("extension", "remove", "100", "101", "102")
    assert first_start.create(config) == []


PROBE = """
import sys
from actors.cli import main
try:
    main(["extension", "list"])
except SystemExit:
    print(sorted({"ray", "pydantic", "rich", "asyncio", "uvloop"} & set(sys.modules)))
"""


def test_commands_import_nothing_slow(shell: Shell) -> None:
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": root},
        timeout=30,
    )
    assert done.stdout == "no extensions\n[]\n"


def test_tables_on_a_terminal(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run("extension", "add", "100", "--name", "[red]Anna")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    _, out, _ = shell.run("extension", "list")
    assert "[red]Anna" in out
    assert "─" in out


def test_import_shows_a_bar_on_a_terminal(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("phones.csv").write_text("number,password,name\n100,x,Anna\n")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    code, out, err = shell.run("extension", "import", "phones.csv")
    assert (code, out) == (0, "added 1 extension, replaced 0\n")
    assert "importing" in err


@pytest.mark.parametrize("command", [["up"], ["down"]])
def test_up_and_down_pass_the_code_on(shell: Shell, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def fake(*arguments: Any) -> int:
        seen.append(arguments)
        return 3

    deployment = SimpleNamespace(up=fake, down=fake)
    monkeypatch.setitem(sys.modules, "actors.deployment", deployment)
    monkeypatch.setattr(actors, "deployment", deployment, raising=False)
    assert shell.run(*command)[0] == 3
    config = load("switch.yaml")
    assert seen == [(config, Path("switch.yaml")) if command == ["up"] else (config,)]
