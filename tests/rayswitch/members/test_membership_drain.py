"""What the operator wants: hosts are drained, wanted again, added and removed."""

from rayswitch.members import DEAD, DRAINING, LEAVING, UP, Seat, Terms
from rayswitch.members import events as ev
from rayswitch.members.effects import End, Start
from tests.rayswitch.members.board import EPOCH, Board, three_nodes


def test_a_drained_host_has_no_share_and_its_calls_stay() -> None:
    board = three_nodes()
    shares = board.members.shares
    board.tell(ev.Drained(("s1", "m1")))
    assert (board.states()["s1"], board.states()["m1"]) == (DRAINING, DRAINING)
    assert board.members.homes("s") == ["s0", "s2"] and board.members.shares == shares + 1
    board.wait(3600)
    assert board.states()["s1"] == DRAINING and board.members.adopts == {}


def test_at_the_deadline_what_is_left_moves_out() -> None:
    board = three_nodes()
    board.tell(ev.Drained(("s1", "m1"), board.now + 10))
    board.wait(9.5)
    assert board.states()["s1"] == DRAINING
    board.wait(1)
    assert (board.states()["s1"], board.states()["m1"]) == (LEAVING, LEAVING)
    assert board.members.adopts["s1"] in ("s0", "s2")
    assert board.members.owner("s1") == "s1", "it lives, and hands over"


def test_a_host_that_is_wanted_again_gets_its_share_back_and_others_keep_its_calls() -> None:
    board = three_nodes()
    board.tell(ev.Drained(("s1",), board.now + 1))
    board.wait(2)
    heir = board.members.adopts["s1"]
    board.tell(ev.Undrained(("s1",)))
    assert board.states()["s1"] == UP and board.members.homes("s") == ["s0", "s1", "s2"]
    assert board.members.adopts == {"s1": heir}
    board.tell(ev.Carried(frozenset({("s1", heir)})), ev.Carried(frozenset({("s1", "s1")})))
    assert board.members.adopts == {"s1": heir}
    board.tell(ev.Carried(frozenset({("s1", "s1")})))
    assert board.members.adopts == {}


def test_a_draining_host_that_dies_is_taken_over_and_one_that_is_back_goes_on_draining() -> None:
    board = three_nodes()
    board.tell(ev.Drained(("s1", "s2")))
    board.down("s1", "m1", "s2")
    board.greet("s2", epoch=EPOCH + 1)
    assert board.states()["s2"] == DRAINING
    board.wait(2.25)
    assert board.states()["s1"] == DEAD
    assert board.members.adopts["s1"] == "s0", "not one that is drained itself"


def test_a_host_that_is_leaving_and_dies_is_adopted() -> None:
    board = three_nodes()
    board.tell(ev.Drained(("s1",), board.now + 1))
    board.wait(2)
    board.down("s1", "m1")
    board.wait(2.25)
    assert board.states()["s1"] == DEAD and board.members.owner("s1") in ("s0", "s2")


def test_the_heir_of_a_leaving_host_dies() -> None:
    board = three_nodes()
    board.tell(ev.Drained(("s1",), board.now + 1))
    board.wait(2)
    heir = board.members.adopts["s1"]
    (third,) = {"s0", "s2"} - {heir}
    board.machine.terms = Terms(node="n9")
    board.down(heir, f"m{heir[1:]}")
    board.wait(2.25)
    assert board.members.owner(heir) == third
    assert board.members.owner(board.members.adopts["s1"]) == third


def test_the_last_host_of_a_kind_is_not_drained() -> None:
    board = three_nodes()
    assert board.machine.refusal(["s1", "m1"]) == ""
    assert "no other host" in board.machine.refusal(["s0", "s1", "s2"])
    assert "no host s7" in board.machine.refusal(["s7"])


def test_a_host_is_added_and_removed_while_the_switch_runs() -> None:
    board = Board()
    board.greet("s0", "m0")
    board.tell(ev.Added("s", "n0", "10.0.0.0"))
    (start,) = board.took(Start)
    assert (start.host, start.seat) == ("s1", Seat("s", "10.0.0.0", 1))
    board.greet("s1", node="n0")
    assert board.members.homes("s") == ["s0", "s1"]
    board.tell(ev.Removed("s1"))
    assert board.took(End) == [End("s1")]
    assert (board.states()["s1"], board.members.adopts, board.members.vacant) == (DEAD, {"s1": "s0"}, ())


def test_homes_are_settled_when_all_that_are_up_have_said_so() -> None:
    board = three_nodes()
    shares = board.members.shares
    board.tell(ev.Settled("s0", shares), ev.Settled("s1", shares))
    assert board.members.settled < shares
    board.tell(ev.Settled("s2", shares))
    assert board.members.settled == shares


def test_calls_that_went_there_and_back_belong_to_who_lives() -> None:
    board = three_nodes()
    board.tell(ev.Drained(("s2",), board.now + 1))
    board.wait(2)
    heir = board.members.adopts["s2"]
    board.tell(ev.Undrained(("s2",)))
    other = next(host for host in ("s0", "s1") if host != heir)
    board.tell(ev.Drained((other,), 0.0), ev.Removed(heir))
    assert board.members.owner(heir) == "s2"
    for _ in range(2):  # what had moved out of s2 has ended
        board.tell(ev.Carried(frozenset({(heir, "s2")})))
    assert board.members.owner(heir) == "s2" and "s2" not in board.members.adopts
