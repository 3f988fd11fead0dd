# SPDX-License-Identifier: GPL-2.0-or-later
"""Shapes: what is learned from one message must not change what is read in another."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.shapes import (
    Choice,
    Constant,
    Decoder,
    Fields,
    Nested,
    Number,
    Raw,
    Values,
    Wanted,
)

WANTED: Final[Wanted] = {
    1: Number("number"),
    2: Raw("raw"),
    3: Nested(
        {
            1: Constant("kind"),
            2: Choice("kind", {"a": {1: Number("a")}, "b": {1: Raw("b")}}),
        }
    ),
    4: Fields({"first": (0, "i"), "third": (8, "i")}),
}
SHARED: Final = Decoder("=4xI", ("fixed",), WANTED)


def walked(message: memoryview) -> Values:
    """Read a message the plain way."""
    values: dict[str, object] = {"fixed": int.from_bytes(message[4:8], "little")}
    for kind, value in attributes.walk(message, 8):
        match kind:
            case 1 if len(value) in {1, 2, 4, 8}:
                values["number"] = attributes.number(value)
            case 2:
                values["raw"] = bytes(value)
            case 3:
                for inner, part in attributes.walk(value):
                    if inner == 1:
                        values["kind"] = attributes.string(part)
                    if inner == 2 and values.get("kind") in {"a", "b"}:
                        values |= chosen(str(values["kind"]), part)
            case 4:
                for name, offset in (("first", 0), ("third", 8)):
                    if offset + 4 <= len(value):
                        packed = value[offset : offset + 4]
                        values[name] = int.from_bytes(packed, "little", signed=True)
    return values


def chosen(kind: str, part: memoryview) -> dict[str, object]:
    found: dict[str, object] = {}
    for inner, value in attributes.walk(part):
        if inner == 1 and kind == "b":
            found["b"] = bytes(value)
        if inner == 1 and kind == "a" and len(value) in {1, 2, 4, 8}:
            found["a"] = attributes.number(value)
    return found


SHORT = st.binary(max_size=9)
INFO = st.lists(
    st.one_of(
        st.sampled_from(["a", "b", "c"]).map(lambda kind: attributes.text(1, kind)),
        st.lists(st.builds(attributes.attribute, st.integers(1, 2), SHORT)).map(
            lambda parts: attributes.nested(2, *parts)
        ),
    ),
    max_size=3,
)
ATTRIBUTE = st.one_of(
    st.builds(attributes.attribute, st.integers(1, 6), st.binary(max_size=13)),
    INFO.map(lambda parts: attributes.nested(3, *parts)),
)


@given(st.binary(min_size=4, max_size=4), st.lists(ATTRIBUTE, max_size=6), st.binary(max_size=5))
def test_any_message_is_read_as_by_walking_it(
    fixed: bytes, attrs: list[bytes], rest: bytes
) -> None:
    message = memoryview(bytes(4) + fixed + b"".join(attrs) + rest)
    # The shared decoder has learned from all messages before.
    for decoder in (SHARED, Decoder("=4xI", ("fixed",), WANTED)):
        assert dict(decoder.decode(message)) == walked(message)


def test_two_messages_of_one_length_and_different_shapes() -> None:
    first = memoryview(bytes(8) + attributes.u32(1, 7) + attributes.u32(2, 8))
    second = memoryview(bytes(8) + attributes.u32(2, 7) + attributes.u32(1, 8))
    decoder = Decoder("=4xI", ("fixed",), WANTED)
    assert [decoder.decode(message)["number"] for message in (first, second, first)] == [7, 8, 7]


def test_more_shapes_than_are_kept() -> None:
    decoder = Decoder("=4xI", ("fixed",), WANTED)
    for length in range(2000):
        message = memoryview(bytes(8) + attributes.attribute(2, bytes(length)))
        assert decoder.decode(message)["raw"] == bytes(length)
