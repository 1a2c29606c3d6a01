"""The front: what is answered at the door, whose a request is, and what becomes of what is nobody's."""

import itertools
import os
from pathlib import Path
from typing import Any, cast

import pytest

from actors import reference
from actors import unanswered as unanswered_module
from actors.call_desk import CallDesk
from actors.callers import Callers
from actors.front import Front
from actors.host import Host
from actors.link import Links
from actors.placement import Placement
from actors.reference import Ref
from actors.registration import Location
from actors.unanswered import Unanswered
from gateways.sip.gateway import SipGateway
from rayswitch.calls.authentication import Authenticator
from rayswitch.calls.directory import Account, Directory
from rayswitch.calls.events import Invited, RegisterReceived, Replacing
from rayswitch.config.kinds import Listener
from rayswitch.records.extension import ExtensionOptions
from rayswitch.records.lines import Trunk
from rayswitch.sip.digest import Nonces, answer, ha1
from rayswitch.sip.events import (
    AckReceived,
    CancelReceived,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    Unreachable,
)
from rayswitch.sip.flow import Flow
from rayswitch.sip.identifiers import Identifiers
from rayswitch.sip.message import Request, Response, parse, respond

DOMAIN = "example.com"
FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5070))
IDS = Identifiers("s0", os.urandom)
numbers = itertools.count(1)


class Gateway:
    """What the front needs of a SipGateway."""

    def __init__(self) -> None:
        self.said: list[tuple[int, Response]] = []
        self.layer = self.wheel = self.flows = self

    def lasting(self, flow: Flow) -> Flow:
        return flow

    def start(self, delay: float, callback: Any, *arguments: Any) -> None:
        """A timer."""

    def clock(self) -> float:
        return 1.0

    def respond(self, server: int, response: Response) -> None:
        self.said.append((server, response))

    def last(self) -> Response:
        return self.said[-1][1]


class Elsewhere:
    """Location and calls: what they were asked, and what they say."""

    def __init__(self, desk: CallDesk) -> None:
        self.orders: list[tuple[str, RegisterReceived]] = []
        self.result: Any = [200, "OK", [], [["sip:alice@192.0.2.9:5070", "", 60, []]]]
        self.opened: list[Invited] = []
        self.full = False
        self.told: list[tuple[str, Any]] = []
        self.named, self.ref = desk.named, desk.ref

    def register(self, aor: str, order: RegisterReceived, done: Any) -> None:
        self.orders.append((aor, order))
        done(self.result)

    def open(self, invited: Invited) -> Ref | None:
        self.opened.append(invited)
        return None if self.full else Ref("call", IDS.call(), "c0")


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: Path) -> None:
        directory = Directory(DOMAIN)
        hashes = (bytes.fromhex(ha1("alice", DOMAIN, "secret", name)) for name in ("MD5", "SHA-256"))
        directory.apply(1, [("alice", Account("Alice L", *hashes)), ("bob", Account("Bob", bytes(16), bytes(32)))])
        links = Links("s0", 1, where)
        desk = CallDesk(links, Placement(["s0", "c0"]), lambda owner: IDS)
        self.elsewhere = Elsewhere(desk)
        self.gateway = Gateway()
        self.authenticator = Authenticator(DOMAIN, directory, Nonces(b"k" * 16, "s0", 300), IDS.tag(IDS.call(), 0))
        self.front = Front(
            cast(SipGateway, self.gateway), "s0",
            Callers(self.authenticator, directory, cast(SipGateway, self.gateway)),
            cast(Location, self.elsewhere), cast(CallDesk, self.elsewhere),
            Unanswered("s0", cast(SipGateway, self.gateway), links, desk.exists, self.authenticator.tag), lambda: 1e9,
        )  # fmt: skip
        no_timers: Any = None
        host = Host("s0", links, no_timers, lambda: 0.0)
        monkeypatch.setattr(host, "tell_ref", lambda ref, message: self.elsewhere.told.append((ref.key, message)))
        reference.attach(host)

    def feed(self, request: Request) -> int:
        """As the gateway does with a new request that the door let in; its transaction."""
        number = next(numbers)
        self.front.event(RequestReceived(number, request, FLOW), 1.0)
        return number

    def status(self, request: Request) -> int:
        self.feed(request)
        return self.gateway.last().status

    def proved(self, request: Request, user: str = "alice", password: str = "secret") -> Request:
        """`request` with the answer to the door's challenge."""
        challenge = self.front.at_the_door(request, FLOW, 1.0)
        assert challenge is not None and challenge.status in (401, 407)
        name = "www-authenticate" if challenge.status == 401 else "proxy-authenticate"
        header = answer(challenge.get_all(name), user, password, request.method, request.uri, "cn")
        assert header is not None
        request.set("authorization" if challenge.status == 401 else "proxy-authorization", header)
        return request


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    return Rig(monkeypatch, tmp_path)


def request(method: str, uri: str = f"sip:bob@{DOMAIN}", to: str = "", user: str = "alice", **more: str) -> Request:
    rows = {
        "via": f"SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKt{next(numbers)}",
        "max-forwards": "70",
        "from": f"<sip:{user}@{DOMAIN}>;tag=a",
        "to": to or f"<sip:alice@{DOMAIN}>",
        "call-id": f"c{next(numbers)}",
        "cseq": f"1 {method}",
    }
    made = parse(Request.new(method, uri, list((rows | more).items())).encode())
    assert isinstance(made, Request)
    return made


def inside(method: str, tag: str) -> Request:
    return request(method, to=f"<sip:bob@{DOMAIN}>;tag={tag}")


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (request("OPTIONS"), 200),
        (request("BYE"), 481),
        (request("INFO", to="<sip:x@y>;tag=theirs"), 481),
        (request("SUBSCRIBE"), 405),
        (request("DANCE"), 501),
        (request("INVITE", "http://example.com"), 416),
        (request("INVITE", require="gruu"), 420),
        (request("REGISTER"), 401),
        (request("INVITE"), 407),
    ],
)
def test_what_needs_no_state_is_answered_at_the_door(rig: Rig, made: Request, status: int) -> None:
    response = rig.front.at_the_door(made, FLOW, 1.0)
    assert response is not None and response.status == status
    assert response.to.tag, "every final answer has a tag (§8.2.6.2)"
    assert "received=" in (response.get("via") or "") or FLOW.remote[0] in (response.get("via") or "")
    assert not rig.gateway.said


def test_the_rest_passes_the_door(rig: Rig) -> None:
    call = IDS.call()
    for made in (
        request("ACK"),
        request("CANCEL"),
        inside("BYE", f"{call}.0"),
        inside("INVITE", f"{call}.0"),
        rig.proved(request("INVITE")),
        rig.proved(request("REGISTER", f"sip:{DOMAIN}")),
    ):
        assert rig.front.at_the_door(made, FLOW, 1.0) is None


def test_a_registration_goes_to_its_home_and_its_answer_to_the_phone(rig: Rig) -> None:
    contact = "<sip:alice@192.0.2.9:5070>"
    assert rig.status(rig.proved(request("REGISTER", f"sip:{DOMAIN}", contact=contact))) == 200
    ((aor, order),) = rig.elsewhere.orders
    assert aor == f"alice@{DOMAIN}" and order.flow == FLOW and order.wall == 1e9
    assert rig.gateway.last().get("contact") == "<sip:alice@192.0.2.9:5070>;expires=60"


def test_a_home_that_is_away_costs_503_with_retry_after(rig: Rig) -> None:
    rig.elsewhere.result = None
    assert rig.status(rig.proved(request("REGISTER", f"sip:{DOMAIN}"))) == 503
    assert rig.gateway.last().get("retry-after") == "2"


@pytest.mark.parametrize(
    ("uri", "to", "status"),
    [
        ("sip:elsewhere.org", f"<sip:alice@{DOMAIN}>", 404),
        (f"sip:{DOMAIN}", "<sip:alice@elsewhere.org>", 404),
        (f"sip:{DOMAIN}", f"<sip:bob@{DOMAIN}>", 403),
        (f"sip:{DOMAIN}", "<tel:+4912345>", 404),
        ("sip:192.0.2.1", "<sip:alice@192.0.2.1>", 200),
    ],
)
def test_nobody_registers_another_or_elsewhere(rig: Rig, uri: str, to: str, status: int) -> None:
    assert rig.status(rig.proved(request("REGISTER", uri, to))) == status
    assert rig.gateway.last().to.tag
    assert bool(rig.elsewhere.orders) is (status == 200)


ASSERTED = {"from": "<sip:anonymous@anonymous.invalid>;tag=a", "p-asserted-identity": '"A" <tel:+49-30-123>'}
PRIVATE = ASSERTED | {"privacy": "id"}


@pytest.mark.parametrize(
    ("trusted", "headers", "caller"),
    [
        (False, {"from": "<sip:4711@carrier.example>;tag=a"}, "4711"),
        (False, {"from": "<tel:+49-30-123>;tag=a"}, "+4930123"),
        (False, ASSERTED, ""),
        (True, ASSERTED, "+4930123"),
        (True, PRIVATE, "+4930123"),
        (True, {"from": "<sip:4711@carrier.example>;tag=a"}, "4711"),
        (True, {"from": "<sip:4711@carrier.example>;tag=a", "p-asserted-identity": "<<"}, "4711"),
    ],
)
def test_a_call_by_a_trunk_has_the_caller_that_it_names(
    rig: Rig, trusted: bool, headers: dict[str, str], caller: str
) -> None:
    identity = "asserted" if trusted else "no"
    trunk = Trunk(name="one", addresses=(FLOW.remote[0],), target="bob", assert_identity=identity)
    rig.front.callers.changed([(Trunk, ("one",), trunk)])
    rig.feed(request("INVITE", **headers))
    (invited,) = rig.elsewhere.opened
    assert (invited.caller, invited.rights, invited.target) == (caller, "trunk/one", "bob")


def test_a_wrong_password_is_asked_again(rig: Rig) -> None:
    assert rig.status(rig.proved(request("REGISTER", f"sip:{DOMAIN}"), password="guess")) == 401
    assert rig.status(rig.proved(request("INVITE"), user="mallory")) == 407
    assert rig.authenticator.failures == 2
    assert not rig.elsewhere.orders and not rig.elsewhere.opened


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        (f"sip:bob@{DOMAIN}", "bob"),
        (f"sip:%62ob@{DOMAIN.upper()}", "bob"),
        ("sip:bob@192.0.2.1", "bob"),
        (f"sip:nobody@{DOMAIN}", "nobody"),
        ("sip:bob@elsewhere.org", "bob@elsewhere.org"),
        ("tel:+49-30.1", "+49301"),
    ],
)
def test_an_invite_is_a_call_to_the_dialled_number(rig: Rig, uri: str, target: str) -> None:
    number = rig.feed(rig.proved(request("INVITE", uri)))
    (invited,) = rig.elsewhere.opened
    assert (invited.server, invited.caller, invited.name) == (("s0", number), "alice", "Alice L")
    assert (invited.target, invited.rights) == (target, "alice")
    assert not rig.gateway.said
    rig.front.event(CancelReceived(number), 1.0)
    assert rig.elsewhere.told[-1][1].server == ("s0", number)


def test_an_address_stands_for_the_password_of_the_number_that_is_tied_to_it(rig: Rig) -> None:
    tied = ExtensionOptions(address=Listener("udp", FLOW.remote[0], 5060))
    alice = rig.authenticator.directory.accounts["alice"]
    rig.authenticator.directory.apply(2, [("alice", alice._replace(options=tied))])
    made = request("INVITE")
    assert rig.front.at_the_door(made, FLOW, 1.0) is None
    rig.feed(made)
    assert rig.elsewhere.opened[-1].caller == "alice"
    for other in (request("INVITE", user="bob"), request("REGISTER", f"sip:{DOMAIN}")):
        challenge = rig.front.at_the_door(other, FLOW, 1.0)
        assert challenge is not None and challenge.status in (401, 407)
    elsewhere = FLOW._replace(remote=("203.0.113.9", FLOW.remote[1]))
    challenge = rig.front.at_the_door(request("INVITE"), elsewhere, 1.0)
    assert challenge is not None and challenge.status == 407
    rig.authenticator.directory.apply(3, [("alice", alice)])
    assert rig.front.at_the_door(request("INVITE"), FLOW, 1.0) is not None


def test_nobody_calls_in_anothers_name(rig: Rig) -> None:
    assert rig.status(rig.proved(request("INVITE", user="bob"))) == 403
    assert not rig.elsewhere.opened


def test_no_call_process_is_503(rig: Rig) -> None:
    rig.elsewhere.full = True
    number = rig.feed(rig.proved(request("INVITE")))
    assert rig.gateway.last().status == 503 and rig.gateway.last().get("retry-after")
    rig.front.event(CancelReceived(number), 1.0)
    assert not rig.elsewhere.told


def test_what_is_inside_a_dialog_goes_to_the_call_of_its_tag(rig: Rig) -> None:
    call = IDS.call()
    number = rig.feed(inside("INVITE", f"{call}.0"))
    rig.feed(inside("BYE", f"{call}.2"))
    rig.front.event(AckReceived(inside("ACK", f"{call}.0"), FLOW), 1.0)
    rig.front.event(CancelReceived(number), 1.0)
    assert {key for key, _ in rig.elsewhere.told} == {call}
    kinds = [type(message) for _, message in rig.elsewhere.told]
    assert kinds == [RequestReceived, RequestReceived, AckReceived, CancelReceived]
    assert rig.elsewhere.told[0][1].server == ("s0", number)
    assert not rig.gateway.said


def test_a_tag_of_a_host_that_there_is_not_is_481_and_its_ack_nothing(rig: Rig) -> None:
    tag = f"zz.{'0' * 12}.0"
    assert rig.status(inside("BYE", tag)) == 481
    rig.front.event(AckReceived(inside("ACK", tag), FLOW), 1.0)
    stray = respond(request("INVITE", **{"from": f"<sip:us@{DOMAIN}>;tag={tag}"}), 200, to_tag="x")
    rig.front.event(ResponseReceived(None, stray, FLOW), 1.0)
    assert not rig.elsewhere.told


def test_responses_and_silence_go_to_who_asked(rig: Rig) -> None:
    call = IDS.call()
    response = respond(request("INVITE", **{"from": f"<sip:us@{DOMAIN}>;tag={call}.1"}), 200, to_tag="x")
    rig.front.event(ResponseReceived(("s0", call, 7), response, FLOW), 1.0)
    rig.front.event(ResponseReceived(None, response, FLOW), 1.0)
    rig.front.event(TimedOut(("c0", call, 8)), 1.0)
    rig.front.event(Unreachable(("c0", call, 9)), 1.0)
    assert [(key, type(message), message.key) for key, message in rig.elsewhere.told] == [
        (call, ResponseReceived, 7),
        (call, ResponseReceived, 0),
        (call, TimedOut, 8),
        (call, Unreachable, 9),
    ]


def test_what_cannot_be_served_is_answered_and_hurts_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = rig.proved(request("REGISTER", f"sip:{DOMAIN}", contact="*"))
    assert rig.status(bad) == 400, "Contact: * without Expires: 0"
    monkeypatch.setattr(rig.elsewhere, "open", lambda invited: 1 // 0)
    assert rig.status(rig.proved(request("INVITE"))) == 500
    assert rig.front.failures == 1
    rig.front.event(object(), 1.0)
    assert rig.front.failures == 2


def test_invites_that_can_be_cancelled_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unanswered_module, "MOST", 3)
    first, *others = [rig.feed(rig.proved(request("INVITE"))) for _ in range(4)]
    waiting = rig.front.unanswered.waiting
    assert list(waiting) == others and first not in waiting


def test_an_invite_that_wants_a_place_goes_to_the_call_that_has_it(rig: Rig) -> None:
    id = IDS.call()
    wanted = rig.proved(request("INVITE", replaces=f"x;to-tag={id}.0;from-tag=y"))
    rig.feed(wanted)
    ((key, told),) = rig.elsewhere.told
    assert key == id and isinstance(told, Replacing) and told.caller == told.rights == "alice"
    assert rig.elsewhere.opened == []


@pytest.mark.parametrize(("replaces", "status"), [("x;to-tag=1;from-tag=2", 481), ("x", 400)])
def test_a_place_in_no_call_of_ours(rig: Rig, replaces: str, status: int) -> None:
    assert rig.status(rig.proved(request("INVITE", replaces=replaces))) == status


def test_the_home_of_a_registration_hears_what_is_said_of_the_extension(rig: Rig) -> None:
    alice = rig.front.directory.accounts["alice"]
    rig.front.directory.accounts["alice"] = alice._replace(options=ExtensionOptions(nat="always", max_contacts=7))
    rig.feed(rig.proved(request("REGISTER", f"sip:{DOMAIN}", f"<sip:alice@{DOMAIN}>")))
    ((_, order),) = rig.elsewhere.orders
    assert (order.nat, order.most) == ("always", 7)
