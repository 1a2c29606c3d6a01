"""Who is up, who is away, who is given up, and who takes over from whom."""

from rayswitch.members import AWAY, DEAD, UP, Terms
from rayswitch.members import events as ev
from rayswitch.members.effects import End, Enquire
from rayswitch.members.membership import TICK
from tests.rayswitch.members.board import EPOCH, Board, three_nodes


def test_who_greets_is_up_and_everybody_hears_where_it_is() -> None:
    board = three_nodes()
    assert set(board.states().values()) == {UP}
    member = board.members.hosts["s1"]
    assert (member.node, member.address, member.port, member.epoch) == ("n1", "10.0.0.1", 7000, EPOCH)
    assert board.members.homes("s") == ["s0", "s1", "s2"]


def test_a_process_that_dies_and_is_back_moves_nothing() -> None:
    board = three_nodes()
    before = board.members
    board.down("s1")
    assert board.members.hosts["s1"].state == AWAY
    board.wait(1)
    board.greet("s1", epoch=EPOCH + 1)
    assert board.members.hosts["s1"].epoch == EPOCH + 1
    assert board.members.homes("s") == before.homes("s")
    assert (board.members.shares, board.members.adopts, board.members.fences) == (before.shares, {}, {})
    assert board.took(End) == []


def test_a_greeting_that_says_nothing_new_is_not_told_to_all() -> None:
    board = three_nodes()
    count = len(board.published)
    board.greet("s1")
    assert len(board.published) == count


def test_the_process_before_is_not_taken_for_the_host() -> None:
    board = three_nodes()
    board.greet("s1", epoch=EPOCH - 1)
    assert board.members.hosts["s1"].epoch == EPOCH


def test_a_silent_node_is_given_up_and_others_take_over() -> None:
    board = three_nodes()
    shares = board.members.shares
    board.down("s1", "m1")
    board.wait(1.75)
    assert board.states()["s1"] == AWAY
    board.wait(0.5)
    assert (board.states()["s1"], board.states()["m1"]) == (DEAD, DEAD)
    assert board.members.fences == {"s1": EPOCH, "m1": EPOCH}
    assert board.members.adopts["s1"] in ("s0", "s2") and board.members.adopts["m1"] in ("m0", "m2")
    assert board.members.homes("s") == ["s0", "s2"]
    assert board.members.shares == shares + 1
    assert {effect.host for effect in board.took(End)} == {"s1", "m1"}


def test_a_node_one_of_whose_hosts_still_speaks_is_not_given_up() -> None:
    board = three_nodes()
    board.down("s1")
    board.wait(9)
    assert board.states()["s1"] == AWAY
    board.wait(1.5)
    assert board.states()["s1"] == DEAD, "a process that hangs is given up in the end"


def test_what_ray_says_is_believed_of_the_silent_alone() -> None:
    board = three_nodes()
    board.tell(ev.Standing({"n0": "10.0.0.0", "n2": "10.0.0.2"}))
    assert set(board.states().values()) == {UP}
    board.down("s1", "m1")
    board.wait(0.5)
    assert Enquire(("s1", "m1")) in board.effects
    board.tell(ev.Standing({"n0": "10.0.0.0", "n2": "10.0.0.2"}))
    assert (board.states()["s1"], board.states()["m1"]) == (DEAD, DEAD)


def test_a_host_that_ray_will_not_start_again_is_given_up_alone() -> None:
    board = three_nodes()
    board.down("s1", "s2")
    board.tell(ev.Standing({f"n{n}": f"10.0.0.{n}" for n in range(3)}, frozenset({"s2"})))
    assert (board.states()["s1"], board.states()["s2"]) == (AWAY, DEAD)
    assert board.members.adopts == {"s2": "s0"}, "not one that is silent itself"


def test_a_ray_that_answers_nothing_gives_nobody_up() -> None:
    board = three_nodes()
    board.down("s1", "m1")
    board.tell(ev.Standing({}))
    assert board.states()["s1"] == AWAY


def test_nobody_is_given_up_while_nobody_can_take_over() -> None:
    board = Board()
    board.greet("s0", "s1", "m1")
    board.down("s0", "s1", "m1")
    board.wait(60)
    assert set(board.states().values()) == {AWAY}
    board.greet("s0", epoch=EPOCH + 1)
    board.wait(TICK)
    assert board.states() == {"s0": UP, "s1": DEAD, "m1": AWAY}


def test_the_node_of_the_switchboard_lives() -> None:
    board = three_nodes()
    board.down("s0", "m0")
    board.wait(5)
    assert board.states()["s0"] == AWAY


def test_a_switchboard_that_was_stopped_does_not_think_that_all_others_were() -> None:
    board = three_nodes()
    board.down("s1", "m1")
    board.now += 3600
    board.tell(ev.Tick())
    board.wait(1)
    assert board.states()["s1"] == AWAY


def test_two_nodes_die_at_once() -> None:
    board = Board()
    board.greet("s0", "s1", "s2", "s3")
    board.down("s1", "s2")
    board.wait(2.25)
    assert (board.states()["s1"], board.states()["s2"]) == (DEAD, DEAD)
    assert sorted(board.members.adopts.values()) == ["s0", "s3"], "each adopts one"


def test_the_adopter_dies_too() -> None:
    board = Board()
    board.greet("s0", "s1", "s2")
    board.down("s2")
    board.wait(2.25)
    first = board.members.adopts["s2"]
    board.down(first)
    board.machine.terms = Terms(node="n9")
    board.wait(2.25)
    (left,) = board.members.ids("s", UP)
    assert board.members.owner("s2") == board.members.owner(first) == left


def test_the_heir_is_on_the_same_node_if_possible() -> None:
    board = Board()
    board.greet("s0", "s1")
    board.greet("s2", "s3", node="n2")
    board.down("s3")
    board.tell(ev.Standing({"n0": "", "n1": "", "n2": ""}, frozenset({"s3"})))
    assert board.members.adopts == {"s3": "s2"}
