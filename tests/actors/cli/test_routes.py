"""`rayswitch route` as a shell sees it."""

import json
from pathlib import Path

import pytest

from tests.actors.cli.test_plans import run

PLAN = """
extensions:
  - {number: 101, password: secret-101, levels: [1, 3], max_outgoing_calls: 2}
  - {number: 102, password: secret-102}
lines:
  - {name: one, registrar: carrier.example, user: u, secret: p}
groups:
  - {name: outside, members: [line/one], choose: round robin}
called_numbers:
  - {prefix: 900, route: line group, target: outside, level: 3, transition: ["delete 0 1"]}
blocks:
  - {caller: 102, called: '9', rate: 100, note: unpaid}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("switch.yaml").write_text("domain: example.com\n")
    Path("pbx.yaml").write_text(PLAN)
    assert run(capsys, "apply", "pbx.yaml")[0] == 0


def test_a_way_out_as_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "route", "101", "913800")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "101 dials 913800",
        "├─ call blocking: no record fits: let through",
        "├─ analyse the caller number: no prefix fits: 101 stays",
        "├─ analyse the called number: outgoing prefix 9: line group outside, delete 0 1 → 13800",
        "├─ refine the caller number: no prefix fits: 101 stays",
        "├─ refine the called number: no prefix fits: 13800 stays",
        "└─ route: group outside, 101 calls 13800, members in turn",
        "   ├─ line/one",
        "   └─ 101@example.com may have 2 outgoing calls",
    ]


def test_a_level_that_is_demanded_and_a_list_that_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "route", "101", "90055")[1].splitlines()
    assert lines[3:5] == [
        "├─ analyse the called number: prefix 900: line group outside, delete 0 1 → 0055",
        "│  └─ call level 3 is demanded, the caller has 1, 3",
    ]
    lines = run(capsys, "route", "102", "90055")[1].splitlines()
    assert lines[1:] == [
        "├─ call blocking: caller 102, called 9, rate 100 (unpaid) decides: refused",
        "│  └─ caller 102, called 9, rate 100 (unpaid)",
        "└─ route: refused: 403 Call blocked",
    ]


def test_for_programs_and_for_whom_else(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(run(capsys, "route", "anonymous", "102", "--json")[1])
    assert document["route"]["kind"] == "extension" and document["route"]["name"] == "102@example.com"
    assert [step["name"] for step in document["steps"]][-1] == "route"
    refused = json.loads(run(capsys, "route", "5550100", "90055", "--by", "line/one", "--json")[1])
    assert (refused["route"]["status"], refused["route"]["reason"]) == (403, "Call level 3 needed")
    allowed = json.loads(run(capsys, "route", "5550100", "90055", "--by", "101", "--json")[1])
    assert allowed["route"]["members"] == ["line/one"]
