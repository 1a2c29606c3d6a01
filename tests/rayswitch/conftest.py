"""The tests of the library run without network and without Ray: touching either is an error here."""

import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest


def _refuse(*_args: object, **_kwargs: object) -> NoReturn:
    raise AssertionError("a test of the library opened a socket: the core is sans-IO")


@pytest.fixture(scope="module", autouse=True)
def no_network_no_ray() -> Iterator[None]:
    """Module scope, because Hypothesis refuses fixtures that are set up once per function."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "__init__", _refuse)
        patch.setattr(socket, "create_connection", _refuse)
        patch.setitem(sys.modules, "ray", None)
        yield
