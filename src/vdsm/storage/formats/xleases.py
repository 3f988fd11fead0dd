# SPDX-License-Identifier: GPL-2.0-or-later
"""`dom_md/xleases`: leases with names of their own, such as VMs', and the index that finds them.

The file is made of slots of one alignment (1 MiB): 0 is reserved for a lockspace, 1 is the index, 2
is reserved for sanlock, and from 3 on there is one lease in each. The index is a block of metadata
and 4000 records of 64 bytes; record n belongs to slot 3 + n, whatever offset it names. The leases
themselves are sanlock's: each knows its own name, so the index can be made anew from them.

Metadata, 512 bytes, filled with zeros to a block:

    magic 0x12152016 (4 bytes, big endian)  NUL  version "0001"  NUL  lockspace (48 bytes, filled
    with NUL)  NUL  mtime (10 digits, seconds since 1970)  NUL  "u" while it is changed, else "-"
    440 NUL  newline

Record, 64 bytes:

    name (48 bytes, filled with NUL; empty: free)  NUL  offset (11 digits)  NUL
    "u" while the lease is made or removed, else "-"  "-"  newline

Format: oVirt's, of domains from version 4 on.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

MAGIC: Final = 0x12152016
VERSION: Final = 1
MAX_RECORDS: Final = 4000

_METADATA = struct.Struct(">I x 4s x 48s x 10s x c 440x c")
_RECORD = struct.Struct("48s x 11s x c c c")
RECORD_SIZE: Final = _RECORD.size
_GAPS: Final = (48, 60)
"""The bytes of a record that are NUL: behind its name, and behind its offset."""

_UPDATING: Final = b"u"
_FLAG_NONE: Final = b"-"
_END: Final = b"\n"
_NAME = re.compile(rb"[!-~]{0,48}")

_INDEX_SLOT: Final = 1
_FIRST_LEASE_SLOT: Final = 3

_METADATA_SECTOR: Final = 2002
"""sanlock's lease value block: after the leader, the request and 2000 hosts."""


class XleasesError(ValueError):
    """The index is not one, or one of its records is not; the message says which and why."""


@dataclass(frozen=True, slots=True)
class IndexMetadata:
    """The first block. `updating`: the index was being written when somebody was killed."""

    lockspace: str
    mtime: int
    updating: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A lease that the index has; free when `name` is empty. `offset` is in bytes."""

    name: str
    offset: int
    updating: bool = False

    @property
    def free(self) -> bool:
        return not self.name


FREE: Final = Record("", 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, in bytes, in a file with these sizes of a slot and a block."""

    alignment: int
    block_size: int

    @property
    def index_offset(self) -> int:
        return _INDEX_SLOT * self.alignment

    @property
    def index_size(self) -> int:
        """A whole number of blocks."""
        size = self.block_size + MAX_RECORDS * RECORD_SIZE
        return -(-size // self.block_size) * self.block_size

    def lease_offset(self, number: int) -> int:
        """Where the lease of a record is."""
        return (_FIRST_LEASE_SLOT + number) * self.alignment

    @property
    def metadata_offset(self) -> int:
        """Where a lease's metadata is, from its begin. Raises XleasesError where a slot has no
        room for it, so that sanlock would write into the next one (4 KiB sectors, small slots)."""
        offset = _METADATA_SECTOR * self.block_size
        if offset + self.block_size > self.alignment:
            raise XleasesError(
                f"leases of {self.alignment} bytes in sectors of {self.block_size} have no metadata"
            )
        return offset


def dump_metadata(metadata: IndexMetadata, block_size: int) -> bytes:
    """One block. Raises XleasesError for what does not fit."""
    if not 0 <= metadata.mtime < 10**10:
        raise XleasesError(f"mtime {metadata.mtime} has no 10 digits")
    return _METADATA.pack(
        MAGIC,
        b"%04d" % VERSION,
        _encoded(metadata.lockspace),
        b"%010d" % metadata.mtime,
        _UPDATING if metadata.updating else _FLAG_NONE,
        _END,
    ).ljust(block_size, b"\0")


def load_metadata(data: bytes) -> IndexMetadata:
    """Reads the first block. Raises XleasesError."""
    if len(data) < _METADATA.size:
        raise XleasesError(f"the index has {len(data)} bytes of metadata, not {_METADATA.size}")
    magic, version, lockspace, mtime, flag, end = _METADATA.unpack(data[: _METADATA.size])
    if magic != MAGIC:
        raise XleasesError(f"the index has magic {magic:#x}, not {MAGIC:#x}")
    if version != b"%04d" % VERSION:
        raise XleasesError(f"the index has version {version!r}")
    if end != _END:
        raise XleasesError("the metadata of the index does not end with a newline")
    return IndexMetadata(
        _decoded(lockspace, "lockspace"), _number(mtime, "mtime"), _flag(flag, "the index")
    )


def dump_record(record: Record) -> bytes:
    """64 bytes. Raises XleasesError for what does not fit."""
    if not 0 <= record.offset < 10**11:
        raise XleasesError(f"offset {record.offset} has no 11 digits")
    return _RECORD.pack(
        _encoded(record.name),
        b"%011d" % record.offset,
        _UPDATING if record.updating else _FLAG_NONE,
        _FLAG_NONE,
        _END,
    )


def load_record(data: bytes) -> Record:
    """Reads 64 bytes. Raises XleasesError."""
    name, offset, flag, _, end = _RECORD.unpack(data)
    if end != _END:
        raise XleasesError("a record does not end with a newline")
    if any(data[place] for place in _GAPS):  # nobody would find it by its name
        raise XleasesError(f"record {name!r} has something between its fields")
    return Record(
        _decoded(name, "name"), _number(offset, "offset"), _flag(flag, f"record {name!r}")
    )


def dump_index(metadata: IndexMetadata, records: Iterable[Record], layout: Layout) -> bytes:
    """A whole index; records that are not given are free."""
    data = b"".join(map(dump_record, records))
    if len(data) > MAX_RECORDS * RECORD_SIZE:
        raise XleasesError(f"more than {MAX_RECORDS} records")
    data += dump_record(FREE) * (MAX_RECORDS - len(data) // RECORD_SIZE)
    head = dump_metadata(metadata, layout.block_size)
    return (head + data).ljust(layout.index_size, b"\0")


class Index:
    """A whole index as it was read; it does not change."""

    def __init__(self, data: bytes, layout: Layout) -> None:
        """Raises XleasesError when it is short, has no metadata, or was being written."""
        if len(data) < layout.index_size:
            raise XleasesError(f"the index has {len(data)} bytes, not {layout.index_size}")
        self._data = data[: layout.index_size]
        self._layout = layout
        self.metadata = load_metadata(self._data)
        if self.metadata.updating:
            raise XleasesError("writing the index was cut off: it must be rebuilt")

    def record(self, number: int) -> Record:
        """Raises XleasesError for one that is damaged."""
        start = self._layout.block_size + number * RECORD_SIZE
        try:
            return load_record(self._data[start : start + RECORD_SIZE])
        except XleasesError as error:
            raise XleasesError(f"record {number}: {error}") from None

    def leases(self) -> Iterator[tuple[int, Record]]:
        """The records that are not free, with their numbers. Raises XleasesError."""
        free = dump_record(FREE)
        for number in range(MAX_RECORDS):
            start = self._layout.block_size + number * RECORD_SIZE
            if self._data[start : start + RECORD_SIZE] != free:
                record = self.record(number)
                if not record.free:
                    yield number, record

    def find(self, name: str) -> int | None:
        """The number of the record of a lease, also of one that is updating. One that is damaged
        hides no other: only the name is looked at."""
        return self._search(_encoded(name).ljust(49, b"\0"))

    def free(self) -> int | None:
        """The number of the first free record."""
        return self._search(dump_record(FREE))

    def _search(self, begin: bytes) -> int | None:
        position = self._data.find(begin, self._layout.block_size)
        while position >= 0:
            number, rest = divmod(position - self._layout.block_size, RECORD_SIZE)
            if number >= MAX_RECORDS:
                return None
            if rest == 0:
                return number
            position = self._data.find(begin, position + 1)
        return None

    def changed_block(self, number: int, record: Record) -> tuple[int, bytes]:
        """The one block that changes with a record: its offset in the file, and its new bytes. So
        a change is on the disk, or it is not."""
        size = self._layout.block_size
        start = size + number * RECORD_SIZE
        block = start - start % size
        new = bytearray(self._data[block : block + size])
        new[start - block : start - block + RECORD_SIZE] = dump_record(record)
        return self._layout.index_offset + block, bytes(new)


def _encoded(text: str) -> bytes:
    data = text.encode("ascii", errors="replace")
    if not _NAME.fullmatch(data) or data.decode() != text:
        raise XleasesError(f"{text!r:.60} is not a name of 48 ASCII characters at most")
    return data


def _decoded(data: bytes, what: str) -> str:
    text = data.rstrip(b"\0")
    if not _NAME.fullmatch(text):
        raise XleasesError(f"{what} {data!r} is not a name")
    return text.decode()


def _number(data: bytes, what: str) -> int:
    if not re.fullmatch(rb"[0-9]+", data):
        raise XleasesError(f"{what} {data!r} is not a number")
    return int(data)


def _flag(data: bytes, what: str) -> bool:
    if data not in (_UPDATING, _FLAG_NONE):
        raise XleasesError(f"{what} has flag {data!r}")
    return data == _UPDATING
