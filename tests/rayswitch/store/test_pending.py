"""What waits for the database, seen together with what is in it: as if it had arrived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rayswitch.store import Store, Write, add_cdr, drop_binding, drop_call, put_binding, put_call
from rayswitch.store.pending import Pending

names = st.sampled_from(["a", "b", "c"])
writes = st.one_of(
    st.builds(lambda name, n: put_binding(name, [n], 100.0 + n, "s0", float(n)), names, st.integers(0, 9)),
    st.builds(lambda name: drop_binding(name, "s0", 50.0), names),
    st.builds(lambda name, n: put_call(name, "s0", bool(n % 2), [n]), names, st.integers(0, 9)),
    st.builds(lambda name: drop_call(name, "s0"), names),
    st.builds(lambda name: add_cdr({"call_id": name}), names),
)


@given(st.lists(writes, max_size=12), st.lists(writes, max_size=12))
def test_it_is_what_the_database_will_be(
    tmp_path_factory: pytest.TempPathFactory, before: list[Write], waiting: list[Write]
) -> None:
    with Store.open(f"sqlite:///{tmp_path_factory.getbasetemp()}/pending.db") as store:
        store.execute("DELETE FROM binding")
        store.execute("DELETE FROM call")
        store.apply(before)
        pending = Pending(waiting)
        bindings = sorted(pending.bindings(store.bindings()))
        calls = sorted(pending.calls(store.calls("s0")))
        store.apply(waiting)
        assert bindings == sorted(store.bindings())
        assert calls == sorted(store.calls("s0"))
        assert pending.count == len(waiting)
