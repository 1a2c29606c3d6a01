"""Records as frames on a disk: length, checksum, then the write itself as msgpack.

A file of frames ends where the next frame is not whole: zeros that were never written to, a length that reaches past
the end, or a checksum that does not fit.  So a file that was cut anywhere, by kill -9 or a power cut, reads as the
records before the cut.  The checksum begins with a `seed`, the number of the file: what an earlier file has left in the
same place does not fit.
"""

import struct
from collections.abc import Iterator
from zlib import crc32

import msgpack

from rayswitch.store.writes import Write, packed

__all__ = ["HEADER", "framed", "records"]

HEADER = struct.Struct("<II")


def framed(write: Write, seed: int = 0) -> bytes:
    """The frame of one record. Raises TypeError, ValueError or OverflowError for what is no plain value."""
    payload = packed(write)
    return HEADER.pack(len(payload), crc32(payload, seed)) + payload


def records(data: bytes | memoryview, start: int = 0, seed: int = 0) -> Iterator[tuple[Write, int]]:
    """(record, where the next one begins) of every whole frame from `start`."""
    view = memoryview(data)
    at = start
    while at + HEADER.size <= len(view):
        length, checksum = HEADER.unpack_from(view, at)
        end = at + HEADER.size + length
        payload = view[at + HEADER.size : end]
        if not length or end > len(view) or crc32(payload, seed) != checksum:
            return
        statement, params = msgpack.unpackb(
            payload, unicode_errors="surrogateescape", strict_map_key=False, use_list=False
        )
        yield Write(statement, params), end
        at = end
