"""Ports for processes that are told their port before they bind it.

They are taken below the kernel's ephemeral range, so no connection can have one by chance, and each is
given once per test process.
"""

import itertools
import os
import socket

# pytest processes that run side by side start at different places; RTP ranges of switches lie above 20000.
_NEXT = itertools.count(10_000 + os.getpid() * 40 % 4_000)
_LIMIT = 20_000


def free_port(address: str = "127.0.0.1", span: int = 1) -> int:
    """The first (even) of `span` ports in a row that are free for UDP and TCP on `address`."""
    for first in _NEXT:
        if first >= _LIMIT:
            break
        if first % 2 == 0 and all(_is_free(address, first + offset) for offset in range(span)):
            for _ in range(span - 1):
                next(_NEXT)
            return first
    raise RuntimeError(f"no {span} free ports below {_LIMIT}")


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
