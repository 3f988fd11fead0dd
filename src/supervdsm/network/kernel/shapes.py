# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of one shape: attributes of the same types and lengths in the same order.

A dump has thousands of messages and few shapes. Walking the attributes of one link in Python takes
20 to 40 µs. So a shape is learned from the first message that has it; the next ones are compared
with it (their attributes' headers under a mask, as one big number) and unpacked by one call of
`struct`: a few µs. No I/O.
"""

import struct
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.attributes import aligned

_MAX_SHAPES: Final = 512
"""Before all are forgotten: what has so many has no shapes."""
_NUMBERS: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Number(NamedTuple):
    """The attribute is an unsigned number of 1, 2, 4 or 8 bytes."""

    name: str


class Raw(NamedTuple):
    """The attribute is taken as bytes."""

    name: str


class Constant(NamedTuple):
    """The attribute is text, and messages with another one have another shape."""

    name: str


class Fields(NamedTuple):
    """The attribute is a structure: of each field its offset and its format, as in `struct`."""

    fields: Mapping[str, tuple[int, str]]


class Nested(NamedTuple):
    """The attribute has attributes in it."""

    wanted: "Wanted"


class Choice(NamedTuple):
    """The attribute has attributes in it, of a kind that the constant `by`, before it, tells."""

    by: str
    wanted: Mapping[str, "Wanted"]


Value: TypeAlias = Number | Raw | Constant | Fields | Nested | Choice
Wanted: TypeAlias = Mapping[int, Value]
"""What is wanted of attributes, by their type; the others are stepped over."""
Values: TypeAlias = Mapping[str, Any]
"""By name: int, bytes (Raw) or str (Constant). An attribute that is not there has no value."""


class Decoder:
    """Decodes messages of one kind. `fixed` is the format of their fixed part, as in `struct`, with
    the netlink header, and `names` its values. May be used by many threads.
    """

    def __init__(self, fixed: str, names: tuple[str, ...], wanted: Wanted) -> None:
        self._fixed = fixed
        self._names = names
        self._wanted = wanted
        self._shapes: dict[int, list[_Shape]] = {}
        self._count = 0

    def decode(self, message: memoryview) -> Values:
        """Return the values of a message."""
        number = int.from_bytes(message, "little")
        for shape in self._shapes.get(len(message), ()):
            if number & shape.mask == shape.headers:
                break
        else:
            shape = self._learn(message, number)
        values = dict(zip(shape.names, shape.unpack(message), strict=False))
        if shape.constants:
            values.update(shape.constants)
        return values

    def _learn(self, message: memoryview, number: int) -> "_Shape":
        lesson = _Lesson(message)
        lesson.walk(struct.calcsize(self._fixed), len(message), self._wanted)
        shape = lesson.shape(self._fixed, self._names, number)
        if self._count >= _MAX_SHAPES:
            self._shapes, self._count = {}, 0
        self._shapes.setdefault(len(message), []).append(shape)
        self._count += 1
        return shape


class _Shape:
    """`mask` covers the headers and constants, `headers` is what must be there."""

    __slots__ = ("constants", "headers", "mask", "names", "unpack")

    def __init__(
        self,
        mask: int,
        number: int,
        layout: struct.Struct,
        names: tuple[str, ...],
        constants: dict[str, str],
    ) -> None:
        self.mask = mask
        self.headers = number & mask
        self.unpack = layout.unpack_from
        self.names = names
        self.constants = constants


class _Lesson:
    """Walks one message and notes where everything is."""

    def __init__(self, message: memoryview) -> None:
        self._message = message
        self._mask = bytearray(len(message))
        self._places: dict[int, tuple[str, str]] = {}
        """By offset: format and name."""
        self._constants: dict[str, str] = {}

    def walk(self, offset: int, end: int, wanted: Wanted) -> None:
        """Note the attributes from `offset` to `end`."""
        while offset + attributes.HEADER.size <= end:
            length, kind = attributes.HEADER.unpack_from(self._message, offset)
            self._expect(offset, offset + attributes.HEADER.size)
            if length < attributes.HEADER.size or offset + length > end:
                return
            value = wanted.get(kind & attributes.TYPE_MASK)
            if value is not None:
                self._note(offset + attributes.HEADER.size, offset + length, value)
            offset += aligned(length)

    def shape(self, fixed: str, names: tuple[str, ...], number: int) -> _Shape:
        """Return what was learned of the message, which is `number`."""
        layout = [fixed]
        end = struct.calcsize(fixed)
        found = list(names)
        for offset, (form, name) in sorted(self._places.items()):
            layout.append(f"{offset - end}x{form}")
            found.append(name)
            end = offset + struct.calcsize(f"={form}")
        mask = int.from_bytes(self._mask, "little")
        return _Shape(mask, number, struct.Struct("".join(layout)), tuple(found), self._constants)

    def _expect(self, start: int, end: int) -> None:
        self._mask[start:end] = b"\xff" * (end - start)

    def _note(self, start: int, end: int, value: Value) -> None:
        match value:
            case Number(name):
                form = _NUMBERS.get(end - start)
                if form is not None:
                    self._places[start] = form, name
            case Raw(name):
                self._places[start] = f"{end - start}s", name
            case Constant(name):
                self._expect(start, end)
                self._constants[name] = attributes.string(self._message[start:end])
            case Fields(fields):
                for name, (offset, form) in fields.items():
                    if start + offset + struct.calcsize(f"={form}") <= end:
                        self._places[start + offset] = form, name
            case Nested(wanted):
                self.walk(start, end, wanted)
            case Choice(by, choices):
                self.walk(start, end, choices.get(self._constants.get(by, ""), {}))
