"""One Switchboard for each store."""

import threading

import pytest

from rayswitch.store import Store, StoreError
from rayswitch.store.tenure import Held, Tenure


def test_a_second_switch_has_to_wait_until_the_first_one_is_silent(store: Store) -> None:
    first, second = Tenure("one", 1, 10.0), Tenure("two", 2, 10.0)
    first.begin(store, 100.0)
    with pytest.raises(Held, match=r"belongs to a running switch, one.* try again in 7 s"):
        second.begin(store, 103.0)
    first.renew(store, 105.0)
    with pytest.raises(Held):
        second.begin(store, 114.0)
    second.begin(store, 115.0)
    with pytest.raises(Held, match="two"):
        first.renew(store, 115.5)


def test_the_same_switch_goes_on_with_its_next_process(store: Store) -> None:
    first, again = Tenure("one", 1, 10.0), Tenure("one", 2, 10.0)
    first.begin(store, 100.0)
    again.begin(store, 101.0)
    with pytest.raises(Held):
        first.renew(store, 102.0)
    with pytest.raises(Held):
        first.begin(store, 103.0)


def test_what_is_kept_is_kept_by_the_one_who_is_it(store: Store) -> None:
    first, again = Tenure("one", 1, 10.0), Tenure("one", 2, 10.0)
    first.begin(store, 100.0)
    first.renew(store, 101.0, {"members": "of the first"})
    again.begin(store, 102.0)
    with pytest.raises(Held):
        first.renew(store, 103.0, {"members": "too late"})
    assert store.setting("members") == "of the first"


def test_whoever_ends_in_order_leaves_the_place_at_once(store: Store) -> None:
    first = Tenure("one", 1, 10.0)
    first.begin(store, 100.0)
    first.end(store)
    Tenure("two", 1, 10.0).begin(store, 100.1)
    first.end(store)
    with pytest.raises(Held, match="two"):
        Tenure("three", 1, 10.0).begin(store, 100.2)


def test_a_row_that_nobody_can_read_is_nobodys(store: Store) -> None:
    store.put_setting("switchboard", "what?")
    Tenure("one", 1, 10.0).begin(store, 100.0)


def test_of_many_who_begin_at_once_one_succeeds(url: str) -> None:
    Store.open(url).close()
    gate, done = threading.Barrier(6), list[str]()

    def attempt(name: str) -> None:
        with Store.open(url) as store:
            gate.wait()
            try:
                Tenure(name, 1, 10.0).begin(store, 100.0)
            except StoreError:
                return
            done.append(name)

    threads = [threading.Thread(target=attempt, args=(f"switch {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
