"""Records in the store, over every database; and a plan that is applied to them."""

import pytest

from rayswitch.config import ConfigError
from rayswitch.records.keeping import apply, content_of
from rayswitch.records.reading import Plan
from rayswitch.records.writing import written
from rayswitch.store import Extensions, Record, Records, Store

DOMAIN = "example.com"
PLAN = """
extensions:
  - {number: 101, name: Alice, password: secret, levels: [1]}
  - {number: 102, password: other}
groups:
  - {name: outside, members: [line/a]}
called_numbers:
  - {prefix: 0, route: line group, target: outside}
"""


def plan(text: str) -> Plan:
    return Plan(text, "pbx.yaml")


def test_a_plan_is_applied_once(url: str) -> None:
    with Store.open(url) as store:
        assert len(apply(store, DOMAIN, plan(PLAN), dry=True)) == 4
        assert not Extensions(store, DOMAIN).all()
        assert len(apply(store, DOMAIN, plan(PLAN))) == 4
        version = Extensions(store, DOMAIN).version()
        assert not apply(store, DOMAIN, plan(PLAN))
        assert Extensions(store, DOMAIN).version() == version
        assert not apply(store, DOMAIN, plan(written(content_of(store, DOMAIN))))


def test_extensions_and_records_share_a_version_and_show_what_changed(url: str) -> None:
    with Store.open(url) as store:
        apply(store, DOMAIN, plan(PLAN))
        version = Extensions(store, DOMAIN).version()
        records = Records(store, DOMAIN)
        assert {row.version for row in records.changes()} == {version}
        apply(store, DOMAIN, plan("called_numbers: []\nextensions:\n  - {number: 101, name: Alicia}"))
        later, rows = Extensions(store, DOMAIN).changes(version)
        assert {(row.number, row.deleted) for row in rows} == {("101", False), ("102", True)}
        assert rows[0].options == {} and rows[0].ha1_md5
        assert records.changes(version) == [Record("called_numbers", ("0",), {}, later, True)]
        assert [row.kind for row in records.changes()] == ["groups"]
        assert not records.changes(later)


def test_nothing_is_applied_by_halves(url: str) -> None:
    with Store.open(url) as store:
        apply(store, DOMAIN, plan(PLAN))
        before = content_of(store, DOMAIN)
        with pytest.raises(ConfigError, match=r"pbx.yaml:3: extensions\[2\].password: expected a password"):
            apply(store, DOMAIN, plan("extensions:\n  - {number: 101}\n  - {number: 103}\nblocks: []"))
        with pytest.raises(ConfigError, match=r"called_numbers 0 \(kept\).target"):
            apply(store, DOMAIN, plan("groups: []"))
        assert content_of(store, DOMAIN) == before
