"""Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4).

Over a connection: back over it.  Over UDP to the source when the request asks for that by rport; else to the source
host at the port in sent-by.  A departure: when the source host is not the one in sent-by, there is an address
translator between (or a name in sent-by), behind which the port in sent-by says nothing; the source port is used then.
"""

from __future__ import annotations

from rayswitch.sip.flow import Flow
from rayswitch.sip.message import Request

DEFAULT_PORT = 5060


def response_flow(request: Request, flow: Flow) -> Flow:
    """The flow for responses to `request`, which came over `flow`."""
    via = request.via
    if flow.transport != "UDP" or "rport" in via.params:
        return flow
    port = via.port or DEFAULT_PORT
    host, source_port = flow.remote
    if port == source_port or via.host != host:
        return flow
    return flow._replace(remote=(host, port))
