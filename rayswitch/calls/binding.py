"""One contact address of an address-of-record (RFC 3261 §10.2.1), and the flow it is reached over (RFC 5626)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rayswitch.calls.next_hop import AUTO, is_natted, registered_flow
from rayswitch.sip.flow import Flow
from rayswitch.sip.uri import Uri


@dataclass(slots=True)
class Binding:
    """Contact `uri` with its parameters until `expires` (unix seconds); `call_id`/`cseq` order its updates."""

    uri: str
    params: str
    call_id: str
    cseq: int
    expires: float
    updated: float
    path: list[str]
    flow: Flow
    natted: bool

    def same_device(self, uri: str, params: str) -> bool:
        """RFC 3261 §19.1.4 URI comparison, or RFC 5626 §6: instance and reg-id name the device whatever its address."""
        mine = instance_of(self.params)
        if mine and mine == instance_of(params):
            return True
        return self.uri == uri or Uri.parse(self.uri) == Uri.parse(uri)

    @property
    def q(self) -> float:
        """Preference 0..1 (RFC 3261 §20.10); 1 when the phone gave none."""
        try:
            return float(parameter(self.params, "q") or 1)
        except ValueError:
            return 1.0

    def snapshot(self) -> list[Any]:
        """Plain values, msgpack-able."""
        return [
            self.uri, self.params, self.call_id, self.cseq, self.expires, self.updated, self.path, list(self.flow),
            self.natted,
        ]  # fmt: skip

    @classmethod
    def restore(cls, plain: list[Any]) -> Binding:
        """The inverse of `snapshot`."""
        uri, params, call_id, cseq, expires, updated, path, flow, natted = plain
        return cls(uri, params, call_id, cseq, expires, updated, path, Flow.of(flow), natted)


def bind(
    uri: str,
    params: str,
    call_id: str,
    cseq: int,
    expires: float,
    wall: float,
    path: list[str],
    flow: Flow,
    nat: str = AUTO,
) -> Binding:
    """A fresh binding; where requests to it go is decided now, once, from the flow it came over.

    With a Path that is where the edge proxy is: what lies behind it is that proxy's to keep alive (RFC 3327, 5626 §5).
    """
    if path:
        return Binding(uri, params, call_id, cseq, expires, wall, path, flow, False)
    way, natted = registered_flow(uri, flow, nat), is_natted(uri, flow, nat)
    return Binding(uri, params, call_id, cseq, expires, wall, path, way, natted)


def parameter(params: str, name: str) -> str | None:
    """The value of `name` in ";a=b;c" text; None when absent."""
    for part in params.split(";"):
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip()
    return None


def instance_of(params: str) -> tuple[str, str] | None:
    """(+sip.instance, reg-id) of an outbound contact (RFC 5626 §4.2), or None."""
    if "reg-id" not in params:
        return None
    instance, reg_id = parameter(params, "+sip.instance"), parameter(params, "reg-id")
    return (instance, reg_id) if instance and reg_id else None
