"""`apply` and `export` as a shell sees them."""

import json
from pathlib import Path

import pytest

from actors.cli import main

PLAN = """
extensions:
  - {number: 101, name: Alice, password: secret-101}
blocks:
  - {caller: 101, called: '*', rate: 30}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("switch.yaml").write_text("domain: example.com\n")
    Path("pbx.yaml").write_text(PLAN)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0), *capsys.readouterr()


def test_a_dry_run_shows_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    shown = "+ extensions 101: name Alice\n+ blocks 101 *: rate 30\n2 records would change: 2 added\n"
    for _ in range(2):
        assert run(capsys, "apply", "pbx.yaml", "--dry-run") == (0, shown, "")


def test_applied_changed_and_exported_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "apply", "pbx.yaml")[1].endswith("done: 2 added\n")
    assert run(capsys, "apply", "pbx.yaml") == (0, "nothing to change\n", "")
    Path("pbx.yaml").write_text(PLAN.replace("Alice, password: secret-101", "Al, password: x").replace("30", "0"))
    code, out, err = run(capsys, "apply", "pbx.yaml")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "~ extensions 101: name Alice → Al, another password",
        "~ blocks 101 *: rate 30 → 0",
        "done: 2 changed",
    ]
    code, text, _ = run(capsys, "export")
    assert "secret" not in text and "rate: 0" in text
    code, out, _ = run(capsys, "export", "-o", "copy.yaml")
    assert (code, Path("copy.yaml").stat().st_mode & 0o777) == (0, 0o600)
    assert Path("copy.yaml").read_text() == text
    assert run(capsys, "apply", "copy.yaml")[1] == "nothing to change\n"


def test_json_has_no_hashes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "apply", "pbx.yaml", "--json")
    document = json.loads(out)
    assert code == 0 and document["changed"] is True
    assert document["changes"][0] == {
        "kind": "extensions", "key": ["101"], "old": None, "new": {"number": "101", "name": "Alice"},
    }  # fmt: skip


def test_passwords_of_trunks_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    trunk = "trunks:\n  - {name: t, server: x, user: a, secret: hush-1, incoming_user: b, incoming_secret: hush-2}\n"
    Path("pbx.yaml").write_text(trunk)
    for more in (("--dry-run",), ("--json",), ()):
        assert "hush" not in "".join(map(str, run(capsys, "apply", "pbx.yaml", *more)))
    Path("pbx.yaml").write_text(trunk.replace("hush", "quiet"))
    assert "another password, another password" in run(capsys, "apply", "pbx.yaml")[1]
    assert "quiet-2" in run(capsys, "export")[1]


def test_mistakes_end_with_2_and_files_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pbx.yaml").write_text(PLAN + "bloks: []\n")
    code, out, err = run(capsys, "apply", "pbx.yaml")
    assert (code, out) == (2, "") and "pbx.yaml:6: bloks: unknown section, did you mean 'blocks'?" in err
    code, _, err = run(capsys, "apply", "nowhere.yaml")
    assert code == 2 and "nowhere.yaml: cannot be read: No such file" in err
    assert run(capsys, "apply", "pbx.yaml", "--dry-run")[0] == 2
    assert run(capsys, "extension", "list")[1].strip() == "no extensions"
