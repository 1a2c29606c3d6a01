"""The snapshot: what it says, and that it crosses a link whole and small."""

import msgpack

from rayswitch.members import AWAY, DEAD, DRAINING, LEAVING, UP, Member, Members, Seat


def members(adopts: dict[str, str] | None = None, **states: str) -> Members:
    hosts = {id: Member(id, f"n{id[1:]}", state=state) for id, state in states.items()}
    return Members(hosts=hosts, adopts=adopts or {})


def test_homes_are_those_that_are_up_or_come_back_in_a_moment() -> None:
    found = members(s10=UP, s2=AWAY, s3=DRAINING, s4=LEAVING, s5=DEAD, m0=UP)
    assert found.homes("s") == ["s2", "s10"]
    assert found.ids("s") == ["s2", "s3", "s4", "s10"]
    assert found.ids("s", UP) == ["s10"]


def test_the_owner_of_what_a_dead_host_had_is_found_through_other_dead() -> None:
    found = members({"s1": "s0", "s0": "s2"}, s0=DEAD, s1=DEAD, s2=UP, s3=UP)
    assert [found.owner(host) for host in ("s0", "s1", "s2", "s3", "s9")] == ["s2", "s2", "s2", "s3", ""]


def test_a_living_host_owns_its_own_even_when_some_has_moved_out() -> None:
    assert members({"s1": "s0"}, s0=UP, s1=LEAVING).owner("s1") == "s1"


def test_adoptions_in_a_circle_have_no_owner() -> None:
    assert members({"s1": "s0", "s0": "s1"}, s0=DEAD, s1=DEAD).owner("s1") == ""


def test_it_crosses_a_link_whole() -> None:
    hosts = {"s1": Member("s1", "n1", "10.0.0.1", 7000, ("udp://10.0.0.1:5060",), 5, DRAINING, 1, 12.5)}
    before = Members(7, 3, 2, hosts, {"s0": "s1"}, {"s0": 4}, (Seat("s", "10.0.0.2", 0),))
    assert Members.of(msgpack.unpackb(msgpack.packb(before.plain()))) == before


def test_a_hundred_hosts_are_a_few_kilobytes() -> None:
    node = "f" * 56
    hosts = {
        f"s{n}": Member(f"s{n}", node, "192.168.100.100", 65000, ("udp://0.0.0.0:5060",), 1 << 60, UP)
        for n in range(100)
    }
    assert len(msgpack.packb(Members(hosts=hosts).plain())) < 16_000
