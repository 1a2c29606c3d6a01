"""What is checked before anything is started, so that a switch that cannot run says why in one line.

A port counts as busy when it cannot be bound *without* SO_REUSEPORT: our gateways share their ports among themselves
with that option, and it would let two switches share one silently.
"""

import errno
import fcntl
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import IO

from actors.memory import PROCESS_BYTES, free_bytes
from rayswitch.config import Config, Listener

__all__ = ["Refused", "check_listeners", "check_media", "check_memory", "lock_data"]

_KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM, "tls": socket.SOCK_STREAM}


class Refused(Exception):
    """The switch cannot start; the text names the key and the value, and what is wrong with it."""


def lock_data(config: Config) -> IO[str]:
    """Take the data directory for this process; it is free again when the file is closed or the process ends."""
    path = Path(config.data) / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise Refused(f"data: {config.data}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise Refused(f"data: {config.data} is in use by a running switch (process {owner})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def check_listeners(config: Config) -> None:
    """Raises Refused for the first listener that cannot be bound."""
    for listener in config.sip.listen:
        _try(listener, f"sip.listen: {listener}")
    if config.sip.tls.certificate:
        _try_certificates(config)


def _try_certificates(config: Config) -> None:
    from gateways.sip.certificates import Certificates

    try:
        Certificates(config.sip.tls)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise Refused(f"sip.tls: {config.sip.tls.certificate}: cannot be used: {what}") from error


def check_media(config: Config) -> None:
    """Raises Refused for a media address that is not this machine's."""
    for address in config.media.addresses.values():
        _try(Listener("udp", address, 0), f"media.address: {address}")


def check_memory(config: Config) -> None:
    """Raises Refused when processes of single entities that are asked for in so many words do not fit."""
    free = free_bytes()
    for name, kind in config.actors.kinds.items():
        key, count = f"actors.{name}.most", kind.most * kind.is_single
        if not count and kind.is_single and name == "call":
            key, count = f"actors.{name}.warm", min(kind.warm * config.sip.gateways, kind.ceiling)
        if count * PROCESS_BYTES > free:
            fit = max(0, free // PROCESS_BYTES)
            size = f"{PROCESS_BYTES // 10**6} MB"
            raise Refused(f"{key}: {count} processes of {size} each do not fit into the free memory, only {fit} do")
        free -= count * PROCESS_BYTES


def _try(listener: Listener, name: str) -> None:
    family = socket.AF_INET6 if listener.family == 6 else socket.AF_INET
    try:
        probe = socket.socket(family, _KINDS[listener.transport])
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from error
    with closing(probe):
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if listener.transport != "udp":  # a connection of an earlier run in TIME_WAIT does not make it busy
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listener.host, listener.port))
            if listener.transport != "udp":
                probe.listen(1)
        except OSError as error:
            raise Refused(f"{name}: {_REASONS.get(error.errno or 0, error.strerror)}") from error


_REASONS = {
    errno.EADDRINUSE: "the port is in use by another process",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EACCES: "not allowed to use this port",
}
