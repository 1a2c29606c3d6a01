"""Fifty calls with audio both ways, set up in a second, for tests of what happens to calls that are up."""

from typing import NamedTuple

from tests.interop.agent import Agent, Call
from tests.interop.rtp import Audio, Stream
from tests.interop.sipp import User


class Talk(NamedTuple):
    """A call that is up: who called, and both ends of it."""

    caller: User
    near: Call
    far: Call


class Conversation:
    """Two agents, one that calls and one that is called, and the audio between them."""

    def __init__(self, calling: Agent, called: Agent, audio: Audio) -> None:
        self.calling, self.called, self.audio = calling, called, audio
        self._registered: list[User] = []

    def set_up(self, callers: list[User], callees: list[User]) -> list[Talk]:
        """Register the callees and call each from one caller; audio flows in every call when this returns."""
        talks = []
        for caller, callee in zip(callers, callees, strict=True):
            self.called.register(callee.number, callee.password)
            self._registered.append(callee)
            talks.append(self.call(caller, callee.number))
        return talks

    def call(self, caller: User, dialled: str) -> Talk:
        """One more call; audio flows in it from now on."""
        near_audio = self.audio.add()
        near = self.calling.dial(caller.number, caller.password, dialled, near_audio.port)
        far = self.called.incoming.get(timeout=5)
        far_audio = self._stream(far.local_port)
        near_audio.remote = ("127.0.0.1", near.remote_port)
        far_audio.remote = ("127.0.0.1", far.remote_port)
        return Talk(caller, near, far)

    def take_leave(self) -> None:
        """Un-register the callees: a later call to them must not ring where nobody is."""
        for callee in self._registered:
            self.called.register(callee.number, callee.password, expires=0)

    def _stream(self, port: int) -> Stream:
        return next(stream for stream in self.audio.streams if stream.port == port)
