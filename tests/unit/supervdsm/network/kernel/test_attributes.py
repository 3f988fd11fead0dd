# SPDX-License-Identifier: GPL-2.0-or-later
"""Attributes: packed and found again, whatever is in them."""

from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.kernel import attributes

KINDS = st.integers(0, 0x3FFF)


@given(st.lists(st.tuples(KINDS, st.binary(max_size=20))))
def test_what_was_packed_is_found(parts: list[tuple[int, bytes]]) -> None:
    data = b"".join(attributes.attribute(kind, value) for kind, value in parts)
    assert len(data) % 4 == 0
    assert [(kind, bytes(value)) for kind, value in attributes.walk(data)] == parts
    kinds = {kind for kind, _ in parts[::2]}
    found = attributes.select(data, 0, kinds)
    assert found == {kind: value for kind, value in parts if kind in kinds}


@given(st.binary(max_size=40), st.sets(KINDS))
def test_nonsense_is_left_out(data: bytes, kinds: set[int]) -> None:
    found = list(attributes.walk(data))
    assert attributes.select(data, 0, kinds) == {k: v for k, v in found if k in kinds}
    assert sum(4 + len(value) for _, value in found) <= len(data)


def test_an_attribute_in_an_attribute() -> None:
    data = attributes.nested(18, attributes.text(1, "bridge"), attributes.u8(2, 5))
    inner = attributes.table(attributes.table(data)[18])
    assert (attributes.string(inner[1]), attributes.number(inner[2])) == ("bridge", 5)


def test_values_and_their_bytes() -> None:
    data = b"".join(
        (
            attributes.u16(1, 0x1234),
            attributes.be16(2, 0x1234),
            attributes.u32(3, 7),
            attributes.u64(4, 2**40),
            attributes.hwaddr(5, "52:54:00:12:34:56"),
            attributes.ip(6, "192.0.2.1"),
            attributes.ip(7, "2001:db8::1"),
        )
    )
    found = attributes.table(data)
    assert attributes.number(found[1]) == 0x1234
    assert bytes(found[2]) == b"\x12\x34"
    assert (attributes.number(found[3]), attributes.number(found[4])) == (7, 2**40)
    assert found[5].hex(":") == "52:54:00:12:34:56"
    assert attributes.address(found[6]) == "192.0.2.1"
    assert attributes.address(found[7]) == "2001:db8::1"
