# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of leases: round trips, oVirt's bytes, and what is not an index."""

import contextlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.storage.formats import xleases
from vdsm.storage.formats.xleases import FREE, Index, IndexMetadata, Layout, Record, XleasesError
from vdsm.storage.model import ALIGNMENT

LAYOUT = Layout(ALIGNMENT, 512)
DOMAIN = "11111111-1111-4111-8111-111111111111"
LEASE = "22222222-2222-4222-8222-222222222222"

names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=48)
records = st.builds(Record, names, st.integers(0, 10**11 - 1), st.booleans())
layouts = st.sampled_from([LAYOUT, Layout(ALIGNMENT, 4096), Layout(8 * ALIGNMENT, 4096)])


def make(*found: Record, updating: bool = False, layout: Layout = LAYOUT) -> bytes:
    return xleases.dump_index(IndexMetadata(DOMAIN, 1700000000, updating), found, layout)


@given(st.builds(IndexMetadata, names, st.integers(0, 10**10 - 1), st.booleans()))
def test_metadata_is_what_was_written(metadata: IndexMetadata) -> None:
    data = xleases.dump_metadata(metadata, 512)
    assert len(data) == 512
    assert xleases.load_metadata(data) == metadata


@given(records)
def test_a_record_is_what_was_written(record: Record) -> None:
    data = xleases.dump_record(record)
    assert len(data) == 64
    assert xleases.load_record(data) == record


@given(st.lists(records, max_size=30, unique_by=lambda record: record.name), layouts)
def test_an_index_finds_what_it_has(found: list[Record], layout: Layout) -> None:
    index = Index(make(*found, layout=layout), layout)
    assert dict(index.leases()) == {n: r for n, r in enumerate(found) if not r.free}
    for number, record in enumerate(found):
        if not record.free:
            assert index.find(record.name) == number
    assert index.find(str(uuid.uuid4())) is None
    free = index.free()
    assert free is not None
    assert free >= len(found) or found[free] == FREE


@given(st.integers(0, xleases.MAX_RECORDS - 1), records, layouts)
def test_a_change_is_one_block(number: int, record: Record, layout: Layout) -> None:
    data = make(layout=layout)
    offset, block = Index(data, layout).changed_block(number, record)
    assert len(block) == layout.block_size
    assert offset % layout.block_size == 0
    start = offset - layout.index_offset
    changed = data[:start] + block + data[start + len(block) :]
    assert len(changed) == len(data)
    index = Index(changed, layout)
    assert index.record(number) == record
    assert index.metadata == IndexMetadata(DOMAIN, 1700000000)
    others = {n for n, _ in index.leases()} - {number}
    assert others == set()


@given(st.binary(max_size=700))
def test_hostile_bytes_are_refused_or_read(data: bytes) -> None:
    for read in (
        lambda: xleases.load_metadata(data),
        lambda: xleases.load_record(data[:64].ljust(64, b"\0")),
    ):
        with contextlib.suppress(XleasesError):
            read()


@given(st.integers(0, 511), st.integers(1, 255))
def test_a_damaged_byte_of_the_metadata_harms_nothing_else(position: int, change: int) -> None:
    data = bytearray(make(Record(LEASE, 3 * ALIGNMENT)))
    data[position] ^= change
    try:
        index = Index(bytes(data), LAYOUT)
    except XleasesError:
        return
    assert index.find(LEASE) == 0


def test_the_bytes_are_ovirt_s() -> None:
    data = make(Record(LEASE, 3 * ALIGNMENT, updating=True))
    head = b"\x12\x15\x20\x16\x000001\x00" + DOMAIN.encode().ljust(48, b"\0")
    assert data[:512] == (head + b"\x001700000000\x00-").ljust(511, b"\0") + b"\n"
    assert data[512:576] == LEASE.encode().ljust(49, b"\0") + b"00003145728\x00u-\n"
    assert data[576:640] == b"\0" * 49 + b"00000000000\x00--\n"
    assert len(data) == 512 + 4000 * 64
    assert LAYOUT.index_offset == 1048576
    assert LAYOUT.lease_offset(0) == 3145728


def test_an_index_whose_writing_was_cut_off_is_not_used() -> None:
    with pytest.raises(XleasesError, match="rebuilt"):
        Index(make(updating=True), LAYOUT)


def test_a_file_that_is_no_index_is_not_used() -> None:
    for data in (b"", bytes(LAYOUT.index_size), make()[:-1], b"\xff" * LAYOUT.index_size):
        with pytest.raises(XleasesError):
            Index(data, LAYOUT)


def test_a_damaged_record_is_named_and_hides_no_other() -> None:
    data = bytearray(make(Record("a", ALIGNMENT), Record("b", ALIGNMENT)))
    data[512 + 50] = ord("x")
    index = Index(bytes(data), LAYOUT)
    assert index.find("b") == 1
    with pytest.raises(XleasesError, match="record 0"):
        list(index.leases())


def test_a_name_inside_another_field_is_not_found() -> None:
    index = Index(make(Record("xabc", 0)), LAYOUT)
    assert index.find("abc") is None


def test_a_full_index_has_no_free_record() -> None:
    full = make(*(Record(f"lease-{n}", 0) for n in range(xleases.MAX_RECORDS)))
    assert Index(full, LAYOUT).free() is None
    with pytest.raises(XleasesError):
        make(*(Record(f"lease-{n}", 0) for n in range(xleases.MAX_RECORDS + 1)))


@pytest.mark.parametrize("name", ["a" * 49, "é", "a b", "a\n", "\0"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(XleasesError):
        xleases.dump_record(Record(name, 0))


@pytest.mark.parametrize("place", [48, 60])
def test_a_record_that_could_not_be_found_by_its_name_is_damaged(place: int) -> None:
    data = bytearray(xleases.dump_record(xleases.Record("lease", 3 << 20)))
    data[place] = ord("x")
    with pytest.raises(xleases.XleasesError, match="between its fields"):
        xleases.load_record(bytes(data))
