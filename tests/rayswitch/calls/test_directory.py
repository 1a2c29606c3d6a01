"""The gateway's copy of the extensions."""

from __future__ import annotations

from rayswitch.calls.directory import NOBODY, Account, Directory


def test_rows_come_and_go_with_versions() -> None:
    directory = Directory("example.com")
    account = Account("Alice", b"\x01" * 16, b"\x02" * 32)
    directory.apply(3, [("100", account), ("101", account)])
    directory.apply(4, [("101", None), ("102", None)])
    assert (directory.version, directory.get("100"), directory.get("101")) == (4, account, None)
    assert (directory.aor("100"), directory.aor("101")) == ("100@example.com", "")


def test_hashes_by_algorithm() -> None:
    account = Account("", b"\x01" * 16, b"\x02" * 32)
    assert account.ha1("MD5") == "01" * 16 and account.ha1("sha-256") == "02" * 32
    assert len(NOBODY.ha1("MD5")) == 32 and len(NOBODY.ha1("SHA-256")) == 64
