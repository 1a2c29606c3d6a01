"""The typed tree of all settings: keys, defaults, what each expects and what it means.

This is the only list of keys there is: the reader walks these classes, and docs/configuration.md is compared
with them by a test.  The tree is immutable; it travels to other processes as the plain values of `to_dict`.
"""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from rayswitch.config.kinds import (
    ANY_PORT,
    AUTO,
    DOMAIN,
    FILE,
    LINK_ADDRESS,
    LINK_PORTS,
    LISTENER,
    MEDIA_ADDRESS,
    NAME_SERVER,
    NETWORK,
    PATH,
    PORTS,
    RAY_PORTS,
    STORE,
    Kind,
    Listener,
    PortRange,
    choice,
    seconds,
    whole,
    whole_or_auto,
)

__all__ = [
    "Actors",
    "Call",
    "Config",
    "Limits",
    "Links",
    "Media",
    "Placement",
    "Protection",
    "Registration",
    "Sip",
    "Tls",
]

T = TypeVar("T")

MOST_PROCESSES = 64
MOST_ACTORS, AUTO_MOST = 1000, 64
DAY = 86400


def setting(kind: Kind[T], default: T, meaning: str) -> T:
    """A key with one value."""
    return field(default=default, metadata={"kind": kind, "several": False, "meaning": meaning})


def settings(kind: Kind[T], default: tuple[T, ...], meaning: str) -> tuple[T, ...]:
    """A key with a list of values; one value may stand without a list."""
    return field(default=default, metadata={"kind": kind, "several": True, "meaning": meaning})


WILDCARDS = ("0.0.0.0", "::")
EVERYWHERE = tuple(Listener(transport, host, 5060) for host in WILDCARDS for transport in ("udp", "tcp"))
RTP_PORTS: PortRange = setting(
    PORTS, PortRange(20000, 29999), "UDP ports for RTP and RTCP, shared out to the media gateways."
)


@dataclass(frozen=True, slots=True)
class Tls:
    """SIP over TLS 1.2 and 1.3; files in PEM, read again when they change."""

    certificate: str = setting(
        FILE, "", "Certificate of the switch and those that lead to its authority, relative to the configuration file."
    )
    key: str = setting(FILE, "", "Its private key, without a password; not needed when it is in `certificate`.")
    authorities: str = setting(FILE, "", "Certificates of the authorities that phones and trunks may be signed by.")
    clients: str = setting(
        choice("no", "optional", "required"),
        "no",
        "Are phones and trunks asked for a certificate, and is it checked against `authorities`?",
    )


@dataclass(frozen=True, slots=True)
class Sip:
    """SIP gateways."""

    listen: tuple[Listener, ...] = settings(
        LISTENER, EVERYWHERE, "Where SIP is received. Every SIP gateway listens on all of them."
    )
    gateways: int = setting(
        whole(1, MOST_PROCESSES),
        1,
        "SipGateway actors (processes); they share the listeners, one fills one core.",
    )
    t1: float = setting(
        seconds(0.05, 4),
        0.5,
        "Round-trip time estimate T1 in seconds: the first retransmission (RFC 3261 §17.1.1.1).",
    )
    name_servers: tuple[tuple[str, int], ...] = settings(
        NAME_SERVER,
        (),
        "Who is asked for the names of carriers (RFC 3263); none: those of /etc/resolv.conf.",
    )
    tls: Tls = Tls()


@dataclass(frozen=True, slots=True)
class Media:
    """Media gateways."""

    address: tuple[str, ...] = settings(
        MEDIA_ADDRESS,
        ("auto",),
        "Address given to phones for RTP, at most one IPv4 and one IPv6. `auto`: the address of the listener,"
        " or for a wildcard listener the one that this machine's default route uses.",
    )
    ports: PortRange = RTP_PORTS
    gateways: int = setting(whole(1, MOST_PROCESSES), 1, "MediaGateway actors (processes).")
    silence: float = setting(
        seconds(0, DAY),
        300.0,
        "A call that is not on hold and has no RTP from either side for so long (seconds) is ended. 0: never.",
    )

    @property
    def addresses(self) -> dict[int, str]:
        """Address by family (4 or 6); empty for `auto`."""
        return {6 if ":" in text else 4: text for text in self.address if text != "auto"}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the entities of one kind live. `homes` are the processes that take what has no actor of its own."""

    placement: str = setting(
        choice("gateway", "pool", "actor"),
        "gateway",
        "`gateway`: inside the SipGateway actors, no hop; `pool`: in actors of their own, many to each; `actor`: each"
        " in a Ray actor of its own, a process of 60 MB.",
    )
    pool: int = setting(
        whole(1, MOST_PROCESSES), 1, "Actors (processes) of the pool, for placement `pool` and overflow `pool`."
    )
    warm: int = setting(
        whole(0, MOST_ACTORS),
        8,
        "For placement `actor`: idle processes that hide the start, refilled in the background. For calls as many as"
        " each SIP gateway keeps ready, `most` in all; for registrations as many as stay when theirs has ended.",
    )
    overflow: str = setting(
        choice("pool", "gateway", "refuse"),
        "pool",
        "For placement `actor`, where an entity goes when no warm process is left, or `most` live: into the `pool`,"
        " into the `gateway`, or nowhere: `refuse` answers 503 with Retry-After.",
    )
    most: int = setting(
        whole_or_auto(1, MOST_ACTORS),
        AUTO,
        "For placement `actor`: actors of this kind at once, idle ones included. `auto`: what a third of the free"
        " memory holds, at most 64.",
    )

    @property
    def homes(self) -> str:
        """Where entities of the kind live in common: "pool", or "gateway"."""
        if self.is_single:
            return "pool" if self.overflow == "pool" else "gateway"
        return self.placement

    @property
    def is_single(self) -> bool:
        """Does each entity get a Ray actor of its own?"""
        return self.placement == "actor"

    @property
    def ceiling(self) -> int:
        """Actors of single entities that there can be at most, whatever the machine."""
        return (self.most or AUTO_MOST) * self.is_single

    @property
    def processes(self) -> int:
        """Processes that there can be at most besides the SIP gateways."""
        return self.pool * (self.homes == "pool") + self.ceiling


@dataclass(frozen=True, slots=True)
class Actors:
    """Placement by kind of entity."""

    call: Placement = Placement()
    registration: Placement = Placement()

    @property
    def kinds(self) -> dict[str, Placement]:
        """By kind."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


RAYS_PORTS: PortRange = setting(
    RAY_PORTS,
    PortRange(10000, 64999),
    "TCP ports of which the Ray that `rayswitch up` starts takes a block, clear of `media.ports`, the SIP listeners and"
    " the ports that the kernel gives. Ray binds some of them only later: leave them to it.",
)


@dataclass(frozen=True, slots=True)
class Ray:
    """The Ray that `rayswitch up` starts; that of a cluster is described in cluster.yaml."""

    ports: PortRange = RAYS_PORTS


@dataclass(frozen=True, slots=True)
class Registration:
    """The registrar (RFC 3261 §10.3); times in seconds."""

    min_expires: int = setting(whole(1, DAY), 60, "Shortest registration; a shorter wish is answered 423.")
    default_expires: int = setting(whole(1, 7 * DAY), 3600, "Granted when the phone names no time.")
    max_expires: int = setting(whole(1, 7 * DAY), DAY, "Longest registration; a longer wish is shortened.")
    max_contacts: int = setting(whole(1, 10), 3, "Devices that one extension may register at once.")
    when_full: str = setting(
        choice("replace", "refuse"),
        "replace",
        "One device too many: `replace` the oldest or `refuse` it (403).",
    )


@dataclass(frozen=True, slots=True)
class Call:
    """Calls; times in seconds."""

    no_answer: float = setting(seconds(5, 3600), 60.0, "Ringing time after which the caller is answered 408.")
    session_expires: int = setting(
        whole(0, 86400),
        1800,
        "Session interval (RFC 4028) that phones are asked for, in seconds: a side that has vanished is found out by "
        "then. 0: none is asked for.",
    )
    min_session_expires: int = setting(
        whole(90, 86400), 90, "Shortest session interval in seconds: who asks for less is answered 422."
    )


@dataclass(frozen=True, slots=True)
class Cdr:
    """Call records."""

    daily_csv: str = setting(
        choice("yes", "no"),
        "yes",
        "Write them to `cdr/2026-01-31.csv` in the data folder too, a file for each day on which calls began.",
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds against overload and abuse, for each SIP gateway."""

    tcp_connections: int = setting(whole(1, 1_000_000), 4096, "TCP connections at once; one more is closed.")
    tcp_per_source: int = setting(
        whole(1, 1_000_000), 1024, "TCP connections from one address at once; phones behind one NAT share it."
    )
    tcp_idle: float = setting(
        seconds(10, DAY), 3900.0, "A TCP connection without a byte for this long (seconds) is closed."
    )
    journal: int = setting(
        whole(64, 1_000_000),
        1024,
        "MB on disk that each process may fill with records while the database does not take them.",
    )
    tcp_half_open: float = setting(
        seconds(1, 600), 10.0, "Seconds that a TCP connection has for its first message, or the rest of one."
    )


NO_RANGE: PortRange = setting(
    LINK_PORTS,
    ANY_PORT,
    "TCP ports for links from other nodes, one for each process of a node. `any`: those that the kernel gives.",
)


@dataclass(frozen=True, slots=True)
class Links:
    """Links between the processes of a switch that is on several nodes."""

    address: str = setting(
        LINK_ADDRESS,
        "auto",
        "Where other nodes reach the processes of this one. `auto`: the address that Ray has for the node, and no TCP"
        " at all when that is a loopback address, as with `rayswitch up`.",
    )
    ports: PortRange = NO_RANGE
    certificate_life: int = setting(
        whole(10, 30 * DAY),
        DAY,
        "Life of the certificate of a process in seconds; it gets a new one after half of it.",
    )


@dataclass(frozen=True, slots=True)
class Members:
    """When a process, or a node, is given up and others take over what it had; times in seconds."""

    node_silent: float = setting(
        seconds(0.5, 600), 2.0, "Silence of all processes of a node, on their links, after which it is given up."
    )
    host_silent: float = setting(
        seconds(1, DAY),
        10.0,
        "Silence of one process of a node that lives, after which it is given up: longer than its restart takes.",
    )


@dataclass(frozen=True, slots=True)
class Protection:
    """Who is listened to, for each SIP gateway.  Bans are shared by all gateways."""

    accept: tuple[str, ...] = settings(
        NETWORK, (), "Addresses and networks that are always let through: never banned, never limited."
    )
    reject: tuple[str, ...] = settings(NETWORK, (), "Addresses and networks that are never listened to.")
    failures: int = setting(whole(1, 1000), 5, "Failed authentications of one address within `window` that are a ban.")
    window: float = setting(seconds(1, DAY), 60.0, "Seconds within which they are counted.")
    ban: float = setting(seconds(0, 365 * DAY), 14400.0, "Seconds that a ban lasts; 0: nobody is banned.")
    source_rate: int = setting(
        whole(0, 1_000_000), 5000, "Messages a second from one address; what is more is dropped. 0: no limit."
    )
    source_burst: int = setting(whole(1, 1_000_000), 10_000, "Messages that one address may send at once.")
    total_rate: int = setting(whole(0, 10_000_000), 0, "Messages a second from all addresses together. 0: no limit.")
    overload_low: float = setting(
        seconds(0.01, 10), 0.05, "Seconds of waiting at which the first new requests are answered 503."
    )
    overload_high: float = setting(seconds(0.02, 20), 0.15, "Seconds of waiting at which all of them are.")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole of switch.yaml.  `data` is an absolute path and `store` a full URL once it was loaded."""

    domain: str = setting(DOMAIN, "rayswitch.local", "SIP domain of the extensions, realm of their passwords.")
    data: str = setting(PATH, "data", "Folder of all that is kept; relative to the configuration file.")
    store: str = setting(
        STORE,
        "sqlite:///data/rayswitch.db",
        "Database; its file in the data folder unless named here, relative to this file. PostgreSQL's password is in"
        " the file that `?password_file=FILE` names, or in `~/.pgpass`.",
    )
    sip: Sip = Sip()
    media: Media = Media()
    actors: Actors = Actors()
    ray: Ray = Ray()
    registration: Registration = Registration()
    call: Call = Call()
    cdr: Cdr = Cdr()
    limits: Limits = Limits()
    protection: Protection = Protection()
    links: Links = Links()
    members: Members = Members()

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values (str, int, float, list, dict), as they would stand in the file."""
        return _plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        """The inverse of `to_dict`; raises ConfigError as loading a file does."""
        from rayswitch.config.reading import from_values

        return from_values(values)


def _plain(section: Any) -> dict[str, Any]:
    return {item.name: plain_value(item.metadata, getattr(section, item.name)) for item in fields(section)}


def plain_value(metadata: Any, value: Any) -> Any:
    """The value of a field as it would stand in a file."""
    if not metadata:
        return _plain(value)
    plain = metadata["kind"].plain
    return [plain(item) for item in value] if metadata["several"] else plain(value)
