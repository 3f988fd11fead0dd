# SPDX-License-Identifier: GPL-2.0-or-later
"""The index of a domain's leases.

The input is the begin of the index: metadata, then records; free records follow. The first byte
chooses the size of a block. Oracle: XleasesError, short; each record that is read is written as it
was; a lease is found where it is; a change of one record changes one block, and nothing else.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fuzz.target import require
from vdsm.storage.formats import xleases as fmt
from vdsm.storage.formats.xleases import (
    FREE,
    RECORD_SIZE,
    Index,
    IndexMetadata,
    Layout,
    Record,
    XleasesError,
)

MOST = 1 + 512 + 8 * RECORD_SIZE
PREFIX = 1
_LAYOUTS = (Layout(1 << 20, 512), Layout(2 << 20, 4096))
_LOOKED_AT = 4
_RECORDS = 40
"""In the place of 4000: to copy an index of 256 kB takes longer than to read it."""


@contextmanager
def small_index() -> Iterator[None]:
    """Let an index have _RECORDS records, until the block ends."""
    before = fmt.MAX_RECORDS
    setattr(fmt, "MAX_RECORDS", _RECORDS)  # noqa: B010 - mypy knows that it is final
    try:
        yield
    finally:
        setattr(fmt, "MAX_RECORDS", before)  # noqa: B010


with small_index():
    _WHOLE = {
        layout: fmt.dump_index(IndexMetadata("domain", 1700000000), [], layout)
        for layout in _LAYOUTS
    }


def run(data: bytes) -> None:
    with small_index():
        read(data)


def read(data: bytes) -> None:
    layout = _LAYOUTS[(data[0] if data else 0) % len(_LAYOUTS)]
    metadata = _read(data[1:513])
    if metadata is None:
        return
    head = data[1:513].ljust(layout.block_size, b"\0")
    whole = head + data[513:]
    whole += _WHOLE[layout][len(whole) :]
    try:
        index = Index(whole, layout)
    except XleasesError as error:
        _short(error)
        return
    require(index.metadata == metadata, "other metadata")
    names: dict[str, int] = {}
    for number in range(_LOOKED_AT):
        try:
            record = index.record(number)
        except XleasesError as error:
            _short(error)
            continue
        if not record.free:
            names.setdefault(record.name, number)
        check(index, layout, number, record)
    for name, number in names.items():
        found = index.find(name)
        require(found is not None and found <= number, "{!r} is not found", name)


def check(index: Index, layout: Layout, number: int, record: Record) -> None:
    written = fmt.dump_record(record)
    require(fmt.load_record(written) == record, "another record")
    offset, block = index.changed_block(number, record)
    require(len(block) == layout.block_size, "no block")
    require(offset % layout.block_size == 0, "not at a block")
    begin = offset - layout.index_offset
    require(begin >= layout.block_size, "over the metadata")
    old = index._data[begin : begin + len(block)]
    at = layout.block_size + number * RECORD_SIZE - begin
    require(old[:at] == block[:at], "a change before the record")
    require(old[at + RECORD_SIZE :] == block[at + RECORD_SIZE :], "a change behind the record")
    require(block[at : at + RECORD_SIZE] == written, "the record is not there")


def _read(head: bytes) -> IndexMetadata | None:
    try:
        found = fmt.load_metadata(head)
    except XleasesError as error:
        _short(error)
        return None
    require(fmt.load_metadata(fmt.dump_metadata(found, 512)) == found, "other metadata")
    return found


def _short(error: XleasesError) -> None:
    require(len(str(error)) < 400, "an error that repeats the input")


def seeds() -> Mapping[str, bytes]:
    metadata = fmt.dump_metadata(IndexMetadata("5e0f3a4c-8f5a-4a35-9a0c-d2b9d3a1f0e1", 1), 512)
    records = b"".join(
        map(
            fmt.dump_record,
            (
                Record("lease-1", 3 << 20),
                FREE,
                Record("lease-2", 5 << 20, updating=True),
                Record("lease-1", 6 << 20),
            ),
        )
    )
    updating = fmt.dump_metadata(IndexMetadata("domain", 1700000000, updating=True), 512)
    return {
        "small": b"\0" + metadata + records,
        "large": b"\1" + metadata + records,
        "empty": b"\0" + metadata,
        "updating": b"\0" + updating,
        "torn": b"\0" + metadata + records[:100] + b"\xff" * 64,
        "short": b"\0" + metadata[:100],
    }
