"""The codec: what goes in comes out, and nothing but WireError ever comes out of bad bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import wire


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x: Any, y: Any) -> None:
        self.x = x
        self.y = y


class Space(Point):
    __slots__ = ("z",)

    def __init__(self, x: Any, y: Any, z: Any) -> None:
        super().__init__(x, y)
        self.z = z


class Nothing:
    __slots__ = ()


wire.register(Point, 120)
wire.register(Space, 121)
wire.register(Nothing, 122)
wire.register(frozenset, 123, lambda v: wire.encode(sorted(v)), lambda data: frozenset(wire.decode(data)))

whole = st.integers(-(2**63), 2**64 - 1)
scalars = st.one_of(st.none(), st.booleans(), whole, st.text(), st.binary(), st.floats(allow_nan=False))
keys = st.text() | st.integers(0, 1000) | st.tuples(st.text(), st.integers(0, 9))
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner),
    max_leaves=20,
)


@given(plain)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    assert wire.decode(wire.encode(value)) == value


def test_slotted_classes_nest_and_keep_their_slots() -> None:
    back = wire.decode(wire.encode([Space(1, (2, [3]), Point("a", b"b")), Nothing()]))
    assert isinstance(back[0], Space)
    assert (back[0].x, back[0].y) == (1, (2, [3]))
    assert isinstance(back[0].z, Point)
    assert (back[0].z.x, back[0].z.y) == ("a", b"b")
    assert isinstance(back[1], Nothing)


def test_a_class_is_rebuilt_from_what_its_init_takes() -> None:
    assert wire.parameters_of(Space) == ("x", "y", "z")
    assert wire.parameters_of(Nothing) == ()


def test_a_class_with_its_own_functions() -> None:
    assert wire.decode(wire.encode(frozenset({2, 1}))) == frozenset({1, 2})


def test_text_that_was_not_utf_8_survives() -> None:
    text = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert wire.decode(wire.encode(text)) == text


@pytest.mark.parametrize("value", [object(), [object()], 2**70, {1: Exception()}])
def test_what_is_not_registered_is_refused_and_the_codec_goes_on(value: object) -> None:
    with pytest.raises(wire.WireError):
        wire.encode(value)
    assert wire.decode(wire.encode([1])) == [1]


@pytest.mark.parametrize(("cls", "code"), [(Point, 99), (dict, 120), (dict, 0), (dict, 128)])
def test_a_code_or_class_is_registered_once(cls: type, code: int) -> None:
    with pytest.raises(wire.WireError):
        wire.register(cls, code)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_wire_error(data: bytes) -> None:
    try:
        wire.decode(data)
    except wire.WireError:
        pass


def test_wrong_number_of_slots_is_a_wire_error() -> None:
    good = wire.encode(Point(1, 2))
    broken = good.replace(wire.encode([1, 2]), wire.encode([[], 2]), 1)
    assert broken != good
    with pytest.raises(wire.WireError):
        wire.decode(broken[:-1])
