"""The store on every database: what was committed is there for the next one, and a failure leaves nothing."""

from typing import Any

import pytest

from rayswitch.store import (
    BadWrite,
    CdrFilter,
    Store,
    StoreError,
    Write,
    add_cdr,
    cdrs,
    drop_binding,
    drop_call,
    drop_expired_bindings,
    put_binding,
    put_call,
)
from rayswitch.store.schema import MIGRATIONS
from rayswitch.store.writes import CDR_COLUMNS


def binding(aor: str, snapshot: Any, expires: float) -> Write:
    return put_binding(aor, snapshot, expires, "s0", 0.0)


def later_exists(store: Store) -> bool:
    try:
        list(store.rows("SELECT x FROM later"))
    except StoreError:
        return False
    return True


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.put_setting("a", "1")
        raise RuntimeError
    assert store.setting("a") is None
    store.put_setting("a", "2")


def test_a_secret_is_the_same_for_all(store: Store, url: str) -> None:
    with Store.open(url) as other:
        assert other.secret("nonce") == store.secret("nonce")
    assert len(store.secret("nonce")) == 32
    assert store.secret("other") != store.secret("nonce")


def test_bindings(store: Store) -> None:
    store.apply([binding("100@a", [["sip:x\udcff@h"]], 50.0), binding("101@a", [], 90.0)])
    store.apply([binding("100@a", [["sip:y@h", None, 1.5]], 60.0)])
    assert sorted(store.bindings()) == [("100@a", [["sip:y@h", None, 1.5]], 60.0), ("101@a", [], 90.0)]
    assert [aor for aor, _, _ in store.bindings(after=60.0)] == ["101@a"]
    store.apply([drop_expired_bindings(60.0)])
    assert [aor for aor, _, _ in store.bindings()] == ["101@a"]


def test_undecodable_bytes_survive_in_snapshots(store: Store) -> None:
    store.apply([put_call("c1", "s0", False, {"name": "\udcff"})])
    assert store.calls() == [("c1", "s0", False, {"name": "\udcff"})]


def test_of_several_writes_to_a_row_the_last_counts(store: Store) -> None:
    store.apply([binding("100@a", [1], 1.0), drop_binding("100@a", "s0", 0.0), binding("100@a", [2], 2.0)])
    store.apply([put_call("c1", "s0", True, []), drop_call("c1", "s0"), put_call("c2", "s1", True, [])])
    assert list(store.bindings()) == [("100@a", [2], 2.0)]
    assert store.calls("s0") == []
    assert store.calls("s1") == [("c2", "s1", True, [])]


def test_a_group_with_a_bad_write_is_refused_whole(store: Store) -> None:
    bad = Write("put_binding", ("101@a", None, 1.0, "s0", 0.0))
    with pytest.raises(BadWrite):
        store.apply([binding("100@a", [], 1.0), bad])
    assert list(store.bindings()) == []


def test_cdr_rows(store: Store) -> None:
    row = {"call_id": "c1", "caller": "100", "display": "J\udcffrg", "start": 10.0, "marks": ["transfer"]}
    store.apply([add_cdr(row), add_cdr(row | {"leg": "a"}), add_cdr({"call_id": "c2", "start": 20.0})])
    store.apply([add_cdr(row | {"caller": "999"})])  # closed a second time by another process
    found = list(cdrs(store, CdrFilter()))
    assert [(found_row["call_id"], found_row["caller"]) for found_row in found] == [("c2", ""), ("c1", "100")]
    assert tuple(found[0]) == ("id", *CDR_COLUMNS)
    assert (found[1]["display"], found[1]["marks"], found[0]["marks"]) == ("J\ufffdrg", ["transfer"], [])
    assert found[0]["answer"] is None


@pytest.mark.parametrize(
    ("wanted", "calls"),
    [
        (CdrFilter(number="100"), ["c3", "c1"]),
        (CdrFilter(since=20.0), ["c3", "c2"]),
        (CdrFilter(until=20.0), ["c1"]),
        (CdrFilter(call_id="c2", leg=None), ["c2", "c2"]),
        (CdrFilter(leg="b1"), ["c2"]),
        (CdrFilter(limit=1), ["c3"]),
        (CdrFilter(number="100", since=15.0), ["c3"]),
    ],
)
def test_cdr_filters(store: Store, wanted: CdrFilter, calls: list[str]) -> None:
    rows = [
        {"call_id": "c1", "caller": "100", "dialled": "101", "start": 10.0},
        {"call_id": "c2", "caller": "102", "dialled": "101", "start": 20.0},
        {"call_id": "c2", "leg": "b1", "caller": "102", "dialled": "101", "start": 20.0},
        {"call_id": "c3", "caller": "101", "dialled": "9", "reached": "100", "start": 30.0},
    ]
    store.apply(add_cdr(row) for row in rows)
    assert [row["call_id"] for row in cdrs(store, wanted)] == calls


def test_an_unknown_cdr_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no such CDR column: colour"):
        add_cdr({"colour": "red"})


def test_migrations_are_applied_once(url: str) -> None:
    for _ in range(2):
        with Store.open(url) as store:
            assert list(store.rows("SELECT number FROM migration")) == [
                (number,) for number in range(1, len(MIGRATIONS) + 1)
            ]


def test_an_older_schema_is_brought_up_to_date(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(url) as store:
        store.put_setting("kept", "yes")
    further = (*MIGRATIONS, ("CREATE TABLE later (x {blob})", "INSERT INTO later VALUES (NULL)"))
    monkeypatch.setattr("rayswitch.store.store.MIGRATIONS", further)
    with Store.open(url) as store:
        assert list(store.rows("SELECT x FROM later")) == [(None,)]
        assert store.setting("kept") == "yes"


def test_a_failed_migration_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(url).close()
    with monkeypatch.context() as patch:
        patch.setattr("rayswitch.store.store.MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE later (x TEXT)", "nonsense")))
        with pytest.raises(StoreError):
            Store.open(url)
    with Store.open(url) as store:
        assert later_exists(store) is False


def test_a_schema_from_the_future_is_refused(url: str) -> None:
    with Store.open(url) as store:
        store.execute("INSERT INTO migration (number) VALUES (?)", 99)
    with pytest.raises(StoreError, match=f"has schema 99, this rayswitch knows {len(MIGRATIONS)}: it is too old"):
        Store.open(url)


def test_an_unknown_kind_of_database_is_named() -> None:
    with pytest.raises(StoreError, match="store mysql://me:\\*\\*\\*@x/y: expected sqlite or postgresql, got 'mysql'"):
        Store.open("mysql://me:secret@x/y")


def test_a_write_that_comes_late_does_not_undo_what_another_host_wrote(store: Store) -> None:
    store.apply([put_binding("100@a", ["first"], 90.0, "s0", 10.0), put_binding("101@a", ["first"], 90.0, "s0", 10.0)])
    store.apply([put_binding("100@a", ["newer"], 95.0, "s1", 20.0)])
    store.apply([put_binding("100@a", ["kept back"], 91.0, "s0", 15.0), drop_binding("101@a", "s1", 9.0)])
    assert sorted(store.bindings()) == [("100@a", ["newer"], 95.0), ("101@a", ["first"], 90.0)]
    store.apply([drop_binding("100@a", "s0", 16.0)])
    assert sorted(store.bindings()) == [("100@a", ["newer"], 95.0), ("101@a", ["first"], 90.0)]
    store.apply([put_binding("100@a", ["newest"], 99.0, "s0", 30.0), drop_binding("101@a", "s1", 30.0)])
    assert list(store.bindings()) == [("100@a", ["newest"], 99.0)]


def test_ones_own_writes_count_in_their_order_though_the_clock_is_set_back(store: Store) -> None:
    store.apply([put_binding("100@a", ["before"], 90.0, "s0", 5000.0)])
    store.apply([put_binding("100@a", ["after"], 90.0, "s0", 10.0)])
    assert list(store.bindings()) == [("100@a", ["after"], 90.0)]
    store.apply([drop_binding("100@a", "s0", 9.0)])
    assert list(store.bindings()) == []


def test_a_call_that_was_adopted_belongs_to_its_new_host(store: Store) -> None:
    store.apply([put_call("c1", "s0", True, ["answered"]), put_call("c2", "s1", True, [])])
    assert store.take_calls("s0", "s1") == [("c1", "s1", True, ["answered"])]
    store.apply([put_call("c1", "s0", True, ["by a ghost"])])
    store.apply([drop_call("c1", "s0")])
    assert store.calls("s0") == []
    assert ("c1", "s1", True, ["answered"]) in store.calls()
    store.apply([put_call("c1", "s1", True, ["held"])])
    assert ("c1", "s1", True, ["held"]) in store.calls()


def test_rows_of_a_large_result_come_in_portions(store: Store) -> None:
    store.apply(binding(f"{number}@a", [], 10.0) for number in range(1100))
    rows = store.bindings()
    first = next(rows)
    store.put_setting("between", "two portions")
    assert len({first[0], *(aor for aor, _, _ in rows)}) == 1100
    assert store.setting("between") == "two portions"


def test_reading_may_stop_in_the_middle(store: Store) -> None:
    store.apply(binding(f"{number}@a", [], 10.0) for number in range(600))
    rows = store.bindings()
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    with store.transaction():
        store.put_setting("a", "1")
    assert store.setting("a") == "1"


def test_how_many_rows_changed(store: Store) -> None:
    store.apply([binding("100@a", [], 1.0), binding("101@a", [], 1.0)])
    assert store.execute("UPDATE binding SET expires = ? WHERE expires < ?", 2, 2) == 2
    assert store.execute("DELETE FROM binding WHERE aor = ?", "none") == 0
