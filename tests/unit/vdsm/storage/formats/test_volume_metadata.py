# SPDX-License-Identifier: GPL-2.0-or-later
"""`.meta` files: oVirt's own bytes, round trips, and files that were torn or written by others."""

from __future__ import annotations

import dataclasses
import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.storage import errors
from vdsm.storage.formats.volume_metadata import MAX_SIZE, decode, encode, next_generation
from vdsm.storage.model import (
    BLANK_UUID,
    Allocation,
    Format,
    Legality,
    VolumeMetadata,
    VolumeType,
)

PATH = "/rhev/data-center/mnt/server:_export/dom/images/img/vol.meta"
DOMAIN = "83a8e71c-5cbc-4c2a-9d1c-0b6f3a2f8a7d"
IMAGE = "4f9e1b72-61b5-4b06-8f42-6b1c5cbd0aa1"

VOLUME = VolumeMetadata(
    capacity=1 << 30,
    ctime=1700000000,
    description='{"DiskAlias":"disk","DiskDescription":""}',
    disk_type="DATA",
    domain=DOMAIN,
    format=Format.COW,
    image=IMAGE,
    legality=Legality.LEGAL,
    parent=BLANK_UUID,
    allocation=Allocation.SPARSE,
    volume_type=VolumeType.LEAF,
    generation=3,
    sequence=2,
)

V5 = f"""\
CAP=1073741824
CTIME=1700000000
DESCRIPTION={{"DiskAlias":"disk","DiskDescription":""}}
DISKTYPE=DATA
DOMAIN={DOMAIN}
FORMAT=COW
GEN=3
IMAGE={IMAGE}
LEGALITY=LEGAL
PUUID={BLANK_UUID}
SEQ=2
TYPE=SPARSE
VOLTYPE=LEAF
EOF
""".encode()

V4 = f"""\
CTIME=1700000000
DESCRIPTION={{"DiskAlias":"disk","DiskDescription":""}}
DISKTYPE=DATA
DOMAIN={DOMAIN}
FORMAT=COW
GEN=3
IMAGE={IMAGE}
LEGALITY=LEGAL
MTIME=0
PUUID={BLANK_UUID}
SIZE=2097152
TYPE=SPARSE
VOLTYPE=LEAF
EOF
""".encode()

KEYS = [
    line.split("=")[0] for line in V5.decode().splitlines() if line[:3] not in ("GEN", "SEQ", "EOF")
]

_words = st.text(string.ascii_letters + string.digits + "-", max_size=36)
_lines = st.characters(codec="utf-8", exclude_characters="\n\r\0")
_volumes = st.builds(
    VolumeMetadata,
    capacity=st.integers(0, 1 << 50).map(lambda blocks: blocks * 512),
    ctime=st.integers(0, (1 << 63) - 1),
    description=st.text(_lines, max_size=30).map(str.strip),
    disk_type=_words,
    domain=_words,
    format=st.sampled_from(Format),
    image=_words,
    legality=st.sampled_from(Legality),
    parent=_words,
    allocation=st.sampled_from(Allocation),
    volume_type=st.sampled_from(VolumeType),
    generation=st.integers(0, 999),
    sequence=st.integers(0, 1 << 31),
)


def test_version_5_is_written_as_ovirt_writes_it() -> None:
    assert encode(VOLUME, 5) == V5


@pytest.mark.parametrize("version", [0, 2, 3, 4])
def test_older_versions_have_the_size_in_blocks_and_no_sequence(version: int) -> None:
    assert encode(VOLUME, version) == V4
    assert decode(V4, PATH) == dataclasses.replace(VOLUME, sequence=0)


@given(_volumes)
def test_what_was_written_is_read_again(volume: VolumeMetadata) -> None:
    assert decode(encode(volume, 5), PATH) == volume
    assert decode(encode(volume, 4), PATH) == dataclasses.replace(volume, sequence=0)


@given(st.binary(max_size=600))
def test_hostile_bytes_are_a_typed_error(data: bytes) -> None:
    with pytest.raises(errors.StorageError) as refused:
        decode(data, PATH)
    assert PATH in refused.value.message


@given(st.integers(0, len(V5) - 1), st.integers(0, 255))
def test_a_changed_byte_is_a_typed_error_or_another_value(place: int, byte: int) -> None:
    with suppress(errors.StorageError):
        decode(V5[:place] + bytes([byte]) + V5[place + 1 :], PATH)


@given(st.integers(0, len(V5) - len("EOF\n")))
def test_a_torn_file_is_named(length: int) -> None:
    with pytest.raises(errors.VolumeMetadataReadError) as refused:
        decode(V5[:length], PATH)
    assert f"{PATH} is torn" in refused.value.message


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str) -> None:
    lines = V5.splitlines(keepends=True)
    without = b"".join(line for line in lines if not line.startswith(f"{key}=".encode()))
    with pytest.raises(errors.MetadataKeyNotFound) as refused:
        decode(without, PATH)
    assert f"{PATH} has no {key}" in refused.value.message


def test_files_of_other_releases_are_read() -> None:
    old = V4.replace(b"GEN=3\n", b"POOL_UUID=\nstray line\n") + b"\0" * 100
    assert decode(old, PATH) == dataclasses.replace(VOLUME, generation=0, sequence=0)
    converted = V5.replace(b"SEQ=2\n", b"SEQ=2\nSIZE=1\n")
    assert decode(converted, PATH) == VOLUME


def test_a_cleared_file_is_not_a_volume() -> None:
    with pytest.raises(errors.VolumeMetadataReadError, match="cleared"):
        decode(b"NONE=" + b"#" * 100 + b"\nEOF\n", PATH)


@pytest.mark.parametrize("value", ["x", "1_000", "", "9" * 5000, "\u0661"])
def test_a_size_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(errors.MetadataKeyError, match="CAP="):
        decode(V5.replace(b"CAP=1073741824", b"CAP=" + value.encode()), PATH)


def test_a_long_description_is_cut() -> None:
    long = dataclasses.replace(VOLUME, description="d" * 500, parent="", image="", domain="")
    assert decode(encode(long, 5), PATH).description == "d" * 210


def test_more_than_a_block_overflows() -> None:
    with pytest.raises(errors.MetadataOverflow, match=str(MAX_SIZE)):
        encode(dataclasses.replace(VOLUME, description="\u20ac" * 210), 5)


@pytest.mark.parametrize("text", ["x\nLEGALITY=LEGAL", "x\rEOF", "\0", "\ud800"])
def test_a_description_cannot_become_a_key(text: str) -> None:
    with pytest.raises(errors.MetadataValidationError):
        encode(dataclasses.replace(VOLUME, description=text), 5)


def test_generations_wrap() -> None:
    assert [next_generation(number) for number in (0, 998, 999)] == [1, 999, 0]
