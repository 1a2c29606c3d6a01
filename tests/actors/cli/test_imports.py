"""`rayswitch import` as a shell sees it."""

from pathlib import Path

import pytest

from actors.cli import main

LINES = (
    "lines:\n  - {name: a, registrar: r.example, user: u, secret: hush}\n  - {name: b, registrar: r.example, user: v}\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("switch.yaml").write_text("domain: example.com\n")
    Path("pbx.yaml").write_text(LINES)
    Path("mss_var_param.ini").write_text("[sip]\ngVarSipRegSameDialog=0\ngVarOther=1\n")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0), *capsys.readouterr()


def test_every_line_gets_what_the_file_says(capsys: pytest.CaptureFixture[str]) -> None:
    _, shown, _ = run(capsys, "apply", "pbx.yaml")
    assert "hush" not in shown
    code, out, err = run(capsys, "import", "mss_var_param.ini")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "mss_var_param.ini:3: [sip] gVarOther is not known here, and left out",
        "~ lines a: register_same_dialog default → false",
        "~ lines b: register_same_dialog default → false",
        "done: 2 changed",
    ]
    assert run(capsys, "import", "mss_var_param.ini")[1].endswith("nothing to change\n")
    exported = run(capsys, "export")[1]
    assert exported.count("register_same_dialog: 'false'") == 2 and "secret: hush" in exported


def test_without_lines_there_is_nobody_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there are no lines yet" in run(capsys, "import", "mss_var_param.ini")[1]


def test_a_mistake_ends_with_2_and_names_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mss_var_param.ini").write_text("[sip]\ngVarSipRegSameDialog=yes\n")
    code, out, err = run(capsys, "import", "mss_var_param.ini")
    assert (code, out) == (2, "")
    assert "mss_var_param.ini:2: [sip] gVarSipRegSameDialog: expected 0 or 1, got 'yes'" in err
