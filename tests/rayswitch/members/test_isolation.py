"""Who is cut off, and who only misses the Switchboard."""

import pytest

from rayswitch.members import UP, Isolation, Member, Members


def cluster(nodes: int) -> Members:
    return Members(hosts={f"s{n}": Member(f"s{n}", f"n{n}", state=UP) for n in range(nodes)})


@pytest.mark.parametrize(
    ("nodes", "linked", "cut_off"),
    [
        (1, 0, False),
        (2, 0, False),  # nobody can tell
        (3, 0, True),
        (3, 1, False),  # the Switchboard's node is away
        (4, 0, True),
        (4, 1, False),
        (5, 1, True),
        (5, 2, False),
    ],
)
def test_a_node_that_hears_less_than_half_is_cut_off(nodes: int, linked: int, cut_off: bool) -> None:
    members, look = cluster(nodes), Isolation("n0", 2.0, 0.5)
    everybody = [f"s{n}" for n in range(1, nodes)]
    assert not look.look(members, everybody, True)
    found = [look.look(members, everybody[:linked], False) for _ in range(6)]
    assert found == [False] * 4 + [cut_off] * 2


def test_whoever_hears_the_switchboard_is_not_cut_off() -> None:
    look = Isolation("n0", 0.0, 0.5)
    assert not any(look.look(cluster(5), [], True) for _ in range(9))


def test_a_process_that_has_not_met_the_others_yet_waits_for_them() -> None:
    look = Isolation("n0", 0.0, 0.5)
    assert not any(look.look(cluster(5), [], False) for _ in range(9))


def test_a_short_silence_is_forgotten() -> None:
    members, look = cluster(3), Isolation("n0", 2.0, 0.5)
    for _ in range(5):
        assert not any(look.look(members, [], False) for _ in range(3))
        assert not look.look(members, ["s1"], False)
