"""The messages of RFC 4475 and RFC 5118 sent to a running switch: it answers as they ask, and lives.

The switch serves example.com, the domain of the messages. Where authentication comes before the point of a
message (RFC 3261 §8.2 has it first), the challenge is the right answer. `tests/rfc` holds what the parser
makes of the same messages; here stands what comes back over the network.
"""

import socket
from pathlib import Path
from secrets import token_hex

import pytest

from tests.interop.agent import Agent, Message
from tests.interop.switch import Switch

DATA = Path(__file__).parents[1] / "data"
BROKEN = {400}
CHALLENGE = {401, 407}
# Understood: whatever the answer is, the request was not taken for malformed and nothing broke on it.
UNDERSTOOD = {200, 403, 404, 405, 406, 415, 420, 480, 481, 483, 488, 501} | CHALLENGE
SILENCE: set[int] = set()

RFC4475 = {
    # 3.1.1 valid messages
    "wsinv": UNDERSTOOD,
    "intmeth": {405, 501},
    "esc01": UNDERSTOOD,
    "escnull": CHALLENGE,
    "esc02": {405, 501},
    "lwsdisp": UNDERSTOOD,
    "longreq": UNDERSTOOD,
    "dblreq": CHALLENGE,
    "semiuri": UNDERSTOOD,
    "transports": UNDERSTOOD,
    "mpart01": UNDERSTOOD,
    "unreason": SILENCE,
    "noreason": SILENCE,
    # 3.1.2 invalid messages
    "badinv01": BROKEN,
    "clerr": BROKEN,
    "ncl": BROKEN,
    "scalar02": BROKEN,
    "scalarlg": SILENCE,
    "quotbal": BROKEN,
    "ltgtruri": BROKEN,
    "lwsruri": BROKEN,
    "lwsstart": BROKEN,
    "trws": BROKEN | UNDERSTOOD,
    "escruri": BROKEN | UNDERSTOOD,
    "baddate": BROKEN | UNDERSTOOD,
    "regbadct": BROKEN | CHALLENGE,
    "badaspec": BROKEN | UNDERSTOOD,
    "baddn": BROKEN | UNDERSTOOD,
    "badvers": {505},
    "mismatch01": BROKEN,
    "mismatch02": BROKEN | {501},
    "bigcode": SILENCE,
    # 3.2 transaction layer
    "badbranch": UNDERSTOOD,
    # 3.3 application layer
    "insuf": BROKEN,
    "unkscm": {416},
    "novelsc": {416},
    "unksm2": BROKEN | CHALLENGE | {403, 404},
    "bext01": {420},
    "invut": {415} | CHALLENGE,
    "regaut01": CHALLENGE,
    "multi01": BROKEN,
    "mcl01": BROKEN,
    "bcast": SILENCE,
    "zeromf": UNDERSTOOD,
    "cparam01": CHALLENGE,
    "cparam02": CHALLENGE,
    "regescrt": CHALLENGE,
    "sdp01": {403},  # from another domain: a stranger, before its body is looked at
    # 3.4 backward compatibility
    "inv2543": UNDERSTOOD,
}
RFC5118 = {
    "ipv6-good": UNDERSTOOD,
    "ipv6-bad": BROKEN,
    "port-ambiguous": UNDERSTOOD,
    "port-unambiguous": UNDERSTOOD,
    "via-received-param-with-delim": UNDERSTOOD,
    "via-received-param-no-delim": UNDERSTOOD,
    "ipv6-in-sdp": UNDERSTOOD,
    "mult-ip-in-header": UNDERSTOOD,
    "mult-ip-in-sdp": UNDERSTOOD,
    "ipv4-mapped-ipv6": UNDERSTOOD,
    "ipv6-bug-abnf-3-colons": UNDERSTOOD,
    "ipv6-correct-abnf-2-colons": UNDERSTOOD,
}
CASES = [
    pytest.param(DATA / folder / f"{name}{ending}", expected, id=name)
    for folder, ending, table in (("rfc4475", ".dat", RFC4475), ("rfc5118", "", RFC5118))
    for name, expected in table.items()
]

pytestmark = pytest.mark.parametrize("switch", [{"settings": {"domain": "example.com"}}], indirect=True, ids=[""])


def _of_its_own(file: Path) -> bytes:
    """Many of the messages share branch or Call-ID; sent one after the other they would be one transaction, or
    a request that came by two ways (482).
    """
    data, name = file.read_bytes(), file.stem.encode()
    if file.stem == "badbranch":
        return data
    return data.replace(b"z9hG4bK", b"z9hG4bK" + name).replace(b"Call-ID: ", b"Call-ID: " + name, 1)


def _final_status(switch: Switch, data: bytes, timeout: float) -> int | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(timeout)
        phone.sendto(data, ("127.0.0.1", switch.port))
        while True:
            try:
                answer = Message(phone.recv(65535))
            except TimeoutError:
                return None
            if answer.status >= 200:
                return answer.status


@pytest.mark.parametrize(("file", "expected"), CASES)
def test_answer(switch: Switch, file: Path, expected: set[int]) -> None:
    status = _final_status(switch, _of_its_own(file), 2.0 if expected else 0.3)
    assert status in expected if expected else status is None
    with Agent(switch.ipv4, "example.com") as phone:
        alive = phone.transact(
            "OPTIONS", "sip:example.com", "<sip:a@example.com>;tag=1", "<sip:example.com>", token_hex(8), 1
        )
    assert alive.status in UNDERSTOOD


def test_every_message_is_sent(switch: Switch) -> None:
    files = {path.name.removesuffix(".dat") for folder in ("rfc4475", "rfc5118") for path in (DATA / folder).iterdir()}
    assert files == set(RFC4475) | set(RFC5118)
