"""The codec of the links: msgpack with our own classes as extension types.

What goes in comes out: lists stay lists, tuples stay tuples, a registered class comes back as itself. It is
written as the list of what its ``__init__`` takes, each parameter being an attribute too, and rebuilt by
calling it with them. A class with a shape of its own (a SIP message: its bytes; a Flow: cached bytes)
brings its two functions with it.

Codes are fixed numbers because both ends of a link may be of different versions for a moment during a
restart. Codes 0-9 belong to this module, 10-19 to messages and flows, 20-127 to the rest (see
``vocabulary.py``).

A tuple costs an extra call on each side (about 0.6 µs): payloads on hot topics are lists.
"""

import inspect
from collections.abc import Callable
from typing import Any

import msgpack

__all__ = ["WireError", "decode", "encode", "parameters_of", "register"]

_TUPLE = 1
_LIMIT = 127
_BUFFER = 64 * 1024

Pack = Callable[[Any], bytes]
Unpack = Callable[[bytes], Any]

_packers: dict[type, tuple[int, Pack]] = {}
_unpackers: dict[int, Unpack] = {}


class WireError(ValueError):
    """A value that no registered class covers, or bytes that do not decode."""


def parameters_of(cls: type) -> tuple[str, ...]:
    """What a class is rebuilt from: the parameters of its ``__init__``, each of them also an attribute."""
    return tuple(inspect.signature(cls).parameters)


def register(cls: type, code: int, pack: Pack | None = None, unpack: Unpack | None = None) -> None:
    """Make `cls` travel under extension `code` (1-127, one class each).

    Without `pack` and `unpack` it travels as the arguments of its `__init__`. Raises WireError for a code
    or class that is taken.
    """
    if not 1 <= code <= _LIMIT:
        raise WireError(f"extension code {code} is not between 1 and {_LIMIT}")
    if code in _unpackers or cls in _packers:
        raise WireError(f"extension code {code} or class {cls.__name__} is registered already")
    _packers[cls] = (code, pack or _packer_of(cls))
    _unpackers[code] = unpack or _unpacker_of(cls)


def _packer_of(cls: type) -> Pack:
    names = parameters_of(cls)
    if not names:
        return lambda value: b"\x90"

    def pack(value: Any) -> bytes:
        return encode([getattr(value, name) for name in names])

    return pack


def _unpacker_of(cls: type) -> Unpack:
    def unpack(data: bytes) -> Any:
        return cls(*decode(data))

    return unpack


def _default(value: Any) -> Any:
    found = _packers.get(type(value))
    if found is None:
        raise WireError(f"{type(value).__name__} has no place on the wire")
    return msgpack.ExtType(found[0], found[1](value))


def _packer() -> Any:
    return msgpack.Packer(default=_default, strict_types=True, unicode_errors="surrogateescape", buf_size=_BUFFER)


# A packer is no use inside its own default(), so a nested value takes the next one. Kept, because a new one
# allocates its buffer: 8 µs where packing takes 0.3. pop() and append() are atomic: any thread may encode.
_idle: list[Any] = []


def _ext_hook(code: int, data: bytes) -> Any:
    unpack = _unpackers.get(code)
    if unpack is None:
        raise WireError(f"extension code {code} is unknown")
    return unpack(data)


def encode(value: Any) -> bytes:
    """Bytes of a value of plain types and registered classes. Raises WireError for anything else."""
    try:
        packer = _idle.pop()
    except IndexError:
        packer = _packer()
    try:
        packed: bytes = packer.pack(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(str(error)) from error  # this packer holds half a value: it is not used again
    _idle.append(packer)
    return packed


def decode(data: bytes | memoryview) -> Any:
    """The value that `encode` was given. Raises WireError on bytes that are not exactly one value."""
    try:
        return msgpack.unpackb(
            data, ext_hook=_ext_hook, strict_map_key=False, unicode_errors="surrogateescape", raw=False
        )
    except WireError:
        raise
    except Exception as error:  # msgpack's own errors and those of a class rebuilt from wrong arguments
        raise WireError(f"undecodable frame: {error!r}") from error


register(tuple, _TUPLE, lambda value: encode(list(value)), lambda data: tuple(decode(data)))
