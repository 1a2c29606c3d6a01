"""The kinds of values that a configuration key may hold: how the text is read, what to say when it cannot be.

A kind reads the text as it stands in the file, not what YAML makes of it: `010`, `1_000` or `on` have no
surprises here.  `read` raises ValueError; its message, if it has one, says more than `expected`.  `plain`
gives the value that `Config.to_dict` shows, from whose text the kind reads the same value again.  `mask`
takes secrets out of a text before a complaint shows it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Generic, NamedTuple, TypeVar

from rayswitch.config.database import masked, read_store

__all__ = ["AUTO", "Kind", "Listener", "PortRange", "choice", "seconds", "whole", "whole_or_auto"]

T = TypeVar("T")

SIP_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
_HIGHEST_PORT = 65535
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a key expects, in words that follow "expected"."""

    expected: str
    read: Callable[[str], T]
    plain: Callable[[T], Any] = lambda value: value
    mask: Callable[[str], str] = lambda text: text


class Listener(NamedTuple):
    """Where SIP is received: transport "udp", "tcp" or "tls", a numeric address without brackets, a port."""

    transport: str
    host: str
    port: int

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.host else 4

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.family == 6 else self.host
        return f"{self.transport}://{host}:{self.port}"


class PortRange(NamedTuple):
    """Ports `first` to `last`, both included. For RTP `first` is even and `last` odd (RTCP), RFC 3550 §11."""

    first: int
    last: int

    def all(self) -> range:
        """Each of them."""
        return range(self.first, self.last + 1)

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


ANY_PORT = PortRange(0, 0)
"""Whatever port the kernel gives."""


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError
    return int(text)


def whole(low: int, high: int) -> Kind[int]:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        number = _digits(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind(f"a whole number from {low} to {high}", read)


AUTO = 0
"""A number that is found out at the start."""


def whole_or_auto(low: int, high: int) -> Kind[int]:
    """`auto` (AUTO), or a whole number from `low` to `high`."""
    number = whole(low, high)
    return Kind(
        f"auto or {number.expected}",
        lambda text: AUTO if text == "auto" else number.read(text),
        lambda value: "auto" if value == AUTO else value,
    )


def seconds(low: float, high: float) -> Kind[float]:
    """A time from `low` to `high` seconds."""

    def read(text: str) -> float:
        if not text.isascii():
            raise ValueError
        number = float(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind(f"a number of seconds from {low:g} to {high:g}", read)


def choice(*words: str) -> Kind[str]:
    """One of `words`."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Kind(" or ".join(words), read)


def _address(text: str) -> str:
    """The usual way to write this address."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _read_listener(text: str) -> Listener:
    transport, separator, rest = text.partition("://")
    if not separator or transport not in SIP_PORTS:
        raise ValueError("it does not begin with udp://, tcp:// or tls://")
    host, port = _host_and_port(rest, SIP_PORTS[transport])
    return Listener(transport, host, port)


def _host_and_port(text: str, usual: int) -> tuple[str, int]:
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("its IPv6 address has no closing bracket")
        host, port = _address(inside), rest[1:] if rest else str(usual)
        if ":" not in host:
            raise ValueError("only an IPv6 address stands in brackets")
        return host, _port(port)
    if text.count(":") > 1:
        raise ValueError("an IPv6 address stands in brackets")
    host, colon, port = text.partition(":")
    return _address(host), _port(port if colon else str(usual))


def _port(text: str) -> int:
    try:
        port = _digits(text)
    except ValueError:
        port = 0
    if not 1 <= port <= _HIGHEST_PORT:
        raise ValueError(f"port {text!r} is not from 1 to {_HIGHEST_PORT}")
    return port


def _read_ports(text: str) -> PortRange:
    low, dash, high = text.partition("-")
    if not dash:
        raise ValueError
    first, last = _digits(low.strip()), _digits(high.strip())
    if not 1024 <= first < last <= _HIGHEST_PORT:
        raise ValueError
    if first % 2:
        raise ValueError("the first port must be even")
    return PortRange(first, last if last % 2 else last - 1)


def _read_link_ports(text: str) -> PortRange:
    return ANY_PORT if text == "any" else _read_stream_ports(text)


def _read_stream_ports(text: str) -> PortRange:
    low, dash, high = text.partition("-")
    first, last = _digits(low.strip()), _digits(high.strip() if dash else low.strip())
    if not 1024 <= first <= last <= _HIGHEST_PORT:
        raise ValueError
    return PortRange(first, last)


def _read_link_address(text: str) -> str:
    return _specific(text, "other nodes cannot connect to a wildcard address")


def _read_media_address(text: str) -> str:
    return _specific(text, "phones cannot send to a wildcard address")


def _specific(text: str, reason: str) -> str:
    if text == "auto":
        return text
    address = _address(text)
    if ip_address(address).is_unspecified:
        raise ValueError(reason)
    return address


def _read_network(text: str) -> str:
    """The usual way to write a network; a single address is one of its own."""
    try:
        return str(ip_network(text, strict=False)) if "/" in text else _address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address and no network") from None


def _read_source(text: str) -> str:
    """The same, or an address with a port."""
    if "/" in text or ":" not in text or ("[" not in text and text.count(":") > 1):
        return _read_network(text)
    host, port = _host_and_port(text, 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _read_domain(text: str) -> str:
    """A host name (RFC 1123 §2.1) or a bare address; lower case, because it is the digest realm."""
    try:
        return _address(text)
    except ValueError:
        labels = text.rstrip(".").split(".")
    if len(text) > _LONGEST_NAME or not all(_is_label(label) for label in labels):
        raise ValueError
    return text.rstrip(".").lower()


def _is_label(label: str) -> bool:
    letters = label.replace("-", "")
    return 0 < len(label) < 64 and letters.isascii() and letters.isalnum() and label.strip("-") == label


def _read_path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError
    return text


LISTENER = Kind(
    "a URL such as udp://192.0.2.1:5060, tcp://[2001:db8::1]:5060 or tls://192.0.2.1:5061", _read_listener, str
)
NAME_SERVER: Kind[tuple[str, int]] = Kind(
    "the address of a name server such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53",
    lambda text: _host_and_port(text if text.count(":") < 2 or "[" in text else f"[{text}]", 53),
    lambda address: f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}",
)
PORTS = Kind("a range such as 20000-29999, from 1024 to 65535, even at the start", _read_ports, str)
LINK_PORTS = Kind(
    "any, or a range such as 7000-7099, from 1024 to 65535",
    _read_link_ports,
    lambda ports: "any" if ports == ANY_PORT else str(ports),
)
RAY_PORTS = Kind("a range such as 61000-64999, from 1024 to 65535", _read_stream_ports, str)
LINK_ADDRESS = Kind("auto or an IP address of this machine", _read_link_address)
MEDIA_ADDRESS = Kind("auto or an IP address of this machine", _read_media_address)
DOMAIN = Kind("a domain name such as example.com", _read_domain)
NETWORK = Kind("an address or a network such as 192.0.2.0/24 or 2001:db8::/32", _read_network)
SOURCE = Kind(
    "an address, a network such as 192.0.2.0/24 or 2001:db8::/32, or an address and port such as 192.0.2.5:5080 or"
    " [2001:db8::1]:5080",
    _read_source,
)
FILE = Kind("the path of a file", lambda text: text if not text else _read_path(text))
PATH = Kind("the path of a folder", _read_path)
STORE = Kind(
    "sqlite:///FILE (four slashes when FILE is absolute) or postgresql://USER@HOST:PORT/DATABASE",
    read_store,
    mask=masked,
)
