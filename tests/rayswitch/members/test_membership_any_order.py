"""Whatever happens, everything has one owner."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rayswitch.members import UP
from rayswitch.members import events as ev
from tests.rayswitch.members.board import EPOCH, Board, three_nodes

HOSTS = [f"{letter}{n}" for letter in "sm" for n in range(4)]
WHAT = ["greet", "again", "down", "wait", "drain", "undrain", "leave", "remove", "carried", "free", "dies", "ray"]


@settings(max_examples=150)
@given(st.data())
def test_whatever_happens_everything_has_one_owner(data: st.DataObject) -> None:
    board, epochs = three_nodes(), dict.fromkeys(HOSTS, EPOCH)
    for _ in range(data.draw(st.integers(1, 40))):
        host = data.draw(st.sampled_from(HOSTS))
        what = data.draw(st.sampled_from(WHAT))
        step(board, what, host, epochs)
        check(board)


def step(board: Board, what: str, host: str, epochs: dict[str, int]) -> None:
    machine = board.machine
    if what in ("greet", "again"):
        epochs[host] += what == "again"
        board.greet(host, epoch=epochs[host])
    elif what == "down":
        board.down(host)
    elif what == "wait":
        board.wait(2.5)
    elif what in ("drain", "leave") and not machine.refusal([host]):
        board.tell(ev.Drained((host,), board.now + 1 if what == "leave" else 0.0))
    elif what == "undrain":
        board.tell(ev.Undrained((host,)))
    elif what == "remove" and not machine.refusal([host]):
        board.tell(ev.Removed(host))
    elif what in ("carried", "free"):
        board.tell(ev.Carried(frozenset({(host, board.members.owner(host))} if what == "carried" else ())))
    elif what == "dies":
        board.machine = board.successor().machine
    elif what == "ray":
        board.tell(ev.Standing({f"n{n}": f"10.0.0.{n}" for n in range(4)}, frozenset({host})))


def check(board: Board) -> None:
    members = board.members
    versions = [one.version for one in board.published]
    assert versions == sorted(set(versions))
    for member in members:
        fence = members.fences.get(member.id, -1)
        if member.is_living:
            assert member.epoch > fence, f"{member.id} is fenced off and lives"
        else:
            assert member.epoch <= fence, f"{member.id} is dead and not fenced off"
            owner = members.owner(member.id)
            assert owner and members.hosts[owner].is_living, f"nobody has what {member.id} had"
    for heir in members.adopts.values():
        assert heir in members.hosts, f"{heir} has adopted and is forgotten"
    assert members.homes("s") or not members.ids("s", UP)
    assert all(host not in members.hosts for host in board.machine.starting)
