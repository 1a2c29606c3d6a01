"""Nodes come back, and so does the Switchboard."""

from rayswitch.members import AWAY, DEAD, UP, Members, Membership, Seat, Terms
from rayswitch.members import events as ev
from rayswitch.members.effects import End, Enquire, Recall, Start
from rayswitch.members.membership import TICK
from tests.rayswitch.members.board import EPOCH, Board, lost_node, three_nodes


def test_a_node_that_comes_back_gets_new_hosts_with_other_ids() -> None:
    board = lost_node()
    assert set(board.members.vacant) == {Seat("s", "10.0.0.1", 1), Seat("m", "10.0.0.1", 1)}
    board.wait(TICK)
    assert board.took(Enquire) == [Enquire(())]
    board.tell(ev.Standing({"n0": "10.0.0.0", "n9": "10.0.0.1", "n2": "10.0.0.2"}))
    started = board.took(Start)
    assert {(one.host, one.node) for one in started} == {("s3", "n9"), ("m3", "n9")}
    assert "s3" not in board.members.homes("s"), "not before it is there"
    shares = board.members.shares
    board.greet("s3", epoch=EPOCH + 9, node="n9")
    assert board.members.homes("s") == ["s0", "s2", "s3"]
    assert (board.members.shares, board.members.hosts["s3"].seat) == (shares + 1, 1)
    assert board.members.vacant == ()


def test_a_ghost_is_refused_and_ended() -> None:
    board = lost_node()
    before = board.members
    board.greet("s1")
    assert board.members == before
    board.greet("s1", epoch=EPOCH + 5)  # Ray had started it once more
    assert board.states()["s1"] == DEAD
    assert board.members.fences["s1"] == EPOCH + 5
    assert board.took(End) == [End("s1")]


def test_a_node_that_returns_during_the_adoption_does_not_undo_it() -> None:
    board = lost_node()
    board.greet("s1", "m1")
    board.tell(ev.Settled("s0", board.members.shares))
    board.wait(2)
    assert board.members.owner("s1") != "s1"
    assert board.states()["s1"] == DEAD


def test_an_id_that_nothing_carries_is_free_again() -> None:
    board = lost_node()
    heir = board.members.adopts["s1"]
    board.tell(ev.Carried(frozenset({("s1", heir)})), ev.Carried(frozenset({("s1", heir)})))
    board.greet("s1", epoch=EPOCH + 5)
    assert board.states()["s1"] == DEAD
    board.tell(ev.Carried(frozenset()))
    assert "s1" in board.members.hosts, "once is not enough"
    board.tell(ev.Carried(frozenset()))
    assert "s1" not in board.members.hosts and "s1" not in board.members.adopts
    assert board.members.fences["s1"] == EPOCH + 5, "but its epoch stays fenced off"
    board.greet("s1", epoch=EPOCH + 6)
    assert board.states()["s1"] == UP


def test_a_host_that_does_not_start_is_tried_again() -> None:
    board = lost_node()
    board.tell(ev.Standing({"n0": "10.0.0.0", "n9": "10.0.0.1"}))
    board.took(Start)
    board.wait(31)
    assert {end.host for end in board.took(End)} >= {"s3", "m3"}
    board.tell(ev.Standing({"n0": "10.0.0.0", "n9": "10.0.0.1"}))
    assert {one.host for one in board.took(Start)} == {"s3", "m3"}


def test_fences_are_forgotten_when_their_certificates_are_of_no_use() -> None:
    board = lost_node()
    board.tell(ev.Carried(frozenset()), ev.Carried(frozenset()))
    board.now += 86000
    board.wait(TICK)
    assert set(board.members.fences) == {"s1", "m1"}
    board.now += 500
    board.wait(TICK)
    assert board.members.fences == {}


def test_a_switchboard_that_dies_during_an_adoption_goes_on_with_it() -> None:
    board = lost_node()
    again = board.successor()
    assert again.members == board.members
    again.greet("s0", "m0", "s2", "m2")
    again.greet("s1", "m1")
    again.wait(5)
    assert again.states() == {"s0": UP, "m0": UP, "s1": DEAD, "m1": DEAD, "s2": UP, "m2": UP}
    assert again.members.adopts == board.members.adopts
    assert again.members.shares == board.members.shares


def test_a_node_that_is_lost_while_the_switchboard_is_away_is_given_up_by_the_next() -> None:
    again = three_nodes().successor()
    again.greet("s0", "m0", "s2", "m2")
    again.wait(1)
    assert again.states()["s1"] == AWAY
    again.wait(1.5)
    assert again.states()["s1"] == DEAD


def test_a_switchboard_whose_store_was_away_gets_its_snapshot_from_a_host() -> None:
    old = lost_node()
    board = Board()
    board.greet("s2")
    board.tell(ev.Greeted("s0", EPOCH, "n0", "10.0.0.0", 7000, (), old.members.version))
    assert board.took(Recall) == [Recall("s0")]
    board.tell(ev.Known(old.members))
    assert board.members.version > old.members.version
    assert (board.states()["s1"], board.members.adopts) == (DEAD, old.members.adopts)
    before = board.members
    board.tell(ev.Known(Members(version=3)))
    assert board.members == before


def test_a_switch_that_starts_with_other_hosts_gives_up_those_that_are_left_out() -> None:
    old = Board()
    old.greet("s0", "s1", "m0", "m1", "c0")
    machine = Membership(Terms(node="n0"), old.members)
    machine.begin(["s0", "m0"], 1.0)
    found = machine.members
    assert {member.id: member.state for member in found} == {"s0": AWAY, "m0": AWAY, "s1": DEAD, "m1": DEAD, "c0": DEAD}
    assert found.adopts == {"s1": "s0", "m1": "m0", "c0": "s0"}
    assert found.shares > old.members.shares and found.version > old.members.version
    assert found.vacant == ()


def test_a_switch_that_starts_as_it_was_moves_nothing() -> None:
    old = Board()
    old.greet("s0", "s1", "m0")
    machine = Membership(Terms(node="n0"), old.members)
    machine.begin(["s0", "s1", "m0"], 1.0)
    assert machine.members.shares == old.members.shares
    assert machine.members.homes("s") == ["s0", "s1"]


def test_on_the_only_node_a_process_that_hangs_is_replaced_there() -> None:
    board = Board()
    for host in ("s0", "s1"):
        board.tell(ev.Greeted(host, EPOCH, "n0"))
    board.down("s1")
    board.wait(board.machine.terms.host_silent + TICK)
    assert (board.states()["s1"], board.members.adopts) == (DEAD, {"s1": "s0"})
    assert End("s1") in board.effects
    board.tell(ev.Standing({"n0": "127.0.0.2"}))
    assert [(one.host, one.node, one.seat.number) for one in board.took(Start)] == [("s2", "n0", 1)]


def test_a_switch_that_starts_has_the_seats_it_is_told_and_has_heard_of_nobody() -> None:
    old = Board()
    old.greet("s0", "s1", "m0")
    machine = Membership(Terms(node="n0"), old.members)
    machine.begin({"s0": 0, "s1": 0, "m0": None}, 1.0)
    found = {member.id: (member.node, member.epoch, member.seat) for member in machine.members}
    assert found == {"s0": ("", 0, 0), "s1": ("", 0, 0), "m0": ("", 0, 0)}
    for second in range(40):
        machine.handle(ev.Tick(), 1.0 + second)
    assert machine.members.homes("s") == ["s0", "s1"]  # a node of an earlier Ray that is silent proves nothing


def test_on_a_node_that_has_just_fallen_silent_nothing_is_started_though_ray_has_it_still() -> None:
    board = lost_node()
    nodes = {"n0": "10.0.0.0", "n1": "10.0.0.1", "n2": "10.0.0.2"}
    board.tell(ev.Standing(nodes))
    assert board.took(Start) == []
    board.wait(5 + TICK)
    board.tell(ev.Standing(nodes))
    assert {one.node for one in board.took(Start)} == {"n1"}, "so it lives, and only its processes had died"
