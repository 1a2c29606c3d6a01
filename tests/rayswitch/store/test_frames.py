"""Frames: whatever happened to the file, what is read is a beginning of what was written, or all of it."""

from hypothesis import given
from hypothesis import strategies as st

from rayswitch.store import Write
from rayswitch.store.frames import HEADER, framed, records

values = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(max_size=60)
writes = st.builds(Write, st.sampled_from(["put_binding", "add_cdr"]), st.lists(values, max_size=5).map(tuple))


def read(data: bytes) -> list[Write]:
    return [write for write, _ in records(data)]


@given(st.lists(writes, max_size=8))
def test_what_was_written_is_read(written: list[Write]) -> None:
    data = b"".join(map(framed, written))
    assert read(data) == written
    assert read(data + bytes(64)) == written, "the rest of a file whose space was taken ahead"
    ends = [end for _, end in records(data)]
    assert [write for end in [0, *ends[:-1]] for write, _ in list(records(data, end))[:1]] == written


@given(st.lists(writes, max_size=6), st.data())
def test_any_cut_leaves_whole_records_from_the_beginning(written: list[Write], data: st.DataObject) -> None:
    whole = b"".join(map(framed, written))
    cut = data.draw(st.integers(0, len(whole)))
    found = read(whole[:cut])
    assert found == written[: len(found)]
    assert len(found) == sum(len(b"".join(map(framed, written[: n + 1]))) <= cut for n in range(len(written)))
    padded = read(whole[:cut] + bytes(40))
    assert padded == written[: len(padded)] and len(padded) - len(found) in (0, 1), "a tail of zeros may come back"


@given(st.lists(writes, min_size=1, max_size=6), st.data())
def test_a_changed_byte_ends_it_there(written: list[Write], data: st.DataObject) -> None:
    whole = bytearray(b"".join(map(framed, written)))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    found = read(bytes(whole))
    before = sum(len(b"".join(map(framed, written[: n + 1]))) <= at for n in range(len(written)))
    assert found == written[:before]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    for _, end in records(data):
        assert HEADER.size < end <= len(data)


def test_text_that_was_no_utf8_survives() -> None:
    write = Write("drop_call", ("\udcff", "s0"))
    assert read(framed(write)) == [write]
