# SPDX-License-Identifier: GPL-2.0-or-later
"""dom_md/metadata: the bytes that oVirt writes, and what is made of bytes that it does not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import domain_metadata
from vdsm.storage.model import (
    DomainClass,
    DomainMetadata,
    DomainStatus,
    PoolMetadata,
    Role,
)

DOMAIN = "a2f7b7c6-1b3e-4f0c-8d5e-3c9a7b1d2e4f"
POOL = "5849b030-626e-47cb-ad90-3ce782d831b3"
PATH = "/rhev/data-center/mnt/server:_path/domain/dom_md/metadata"

# Written as the format says, line by line; the checksum is that of `sha1sum` over the lines.
NFS_V5 = f"""\
ALIGNMENT=1048576
BLOCK_SIZE=512
CLASS=Data
DESCRIPTION=data-é
IOOPTIMEOUTSEC=10
LEASERETRIES=3
LEASETIMESEC=60
LOCKPOLICY=
LOCKRENEWALINTERVALSEC=5
POOL_UUID={POOL}
REMOTE_PATH=server:/path
ROLE=Regular
SDUUID={DOMAIN}
TYPE=NFS
VERSION=5
"""

MASTER_V3 = f"""\
CLASS=Data
DESCRIPTION=old
IOOPTIMEOUTSEC=10
LEASERETRIES=3
LEASETIMESEC=60
LOCKPOLICY=
LOCKRENEWALINTERVALSEC=5
MASTER_VERSION=7
POOL_DESCRIPTION=Default
POOL_DOMAINS={DOMAIN}:Active,{POOL}:Attached
POOL_SPM_ID=1
POOL_SPM_LVER=12
POOL_UUID={POOL}
REMOTE_PATH=/data
ROLE=Master
SDUUID={DOMAIN}
SOMETHING_NEW=kept=as it is
TYPE=LOCALFS
VERSION=3
"""


def sealed(text: str) -> bytes:
    body = text.replace("\n", "").replace("é", "&#233;").encode("ascii")
    return f"{text}_SHA_CKSUM={hashlib.sha1(body).hexdigest()}\n".encode()


METADATA = DomainMetadata(
    uuid=DOMAIN,
    version=5,
    kind=DomainType.NFS,
    role=Role.REGULAR,
    domain_class=DomainClass.DATA,
    description="data-é",
    remote_path="server:/path",
    pools=(POOL,),
)


def test_a_domain_is_written_byte_for_byte_as_ovirt_writes_it() -> None:
    assert domain_metadata.encode(METADATA) == sealed(NFS_V5)


def test_a_domain_that_ovirt_wrote_is_read() -> None:
    assert domain_metadata.decode(sealed(NFS_V5), PATH) == METADATA


def test_a_master_with_the_keys_of_its_pool_and_unknown_ones_survives_a_round_trip() -> None:
    metadata = domain_metadata.decode(sealed(MASTER_V3), PATH)
    assert metadata.pool == PoolMetadata(
        "Default", {DOMAIN: DomainStatus.ACTIVE, POOL: DomainStatus.ATTACHED}, 1, 12, 7
    )
    assert metadata.extra == {"SOMETHING_NEW": "kept=as it is"}
    assert domain_metadata.encode(metadata) == sealed(MASTER_V3)


def test_posixfs_has_its_name_of_the_disk() -> None:
    data = domain_metadata.encode(replace(METADATA, kind=DomainType.SHAREDFS))
    assert b"TYPE=POSIXFS\n" in data
    assert domain_metadata.decode(data, PATH).kind is DomainType.SHAREDFS


def test_the_end_of_a_block_is_no_part_of_the_file() -> None:
    assert domain_metadata.decode(sealed(NFS_V5) + bytes(512), PATH) == METADATA


def test_spellings_of_old_releases_are_read() -> None:
    old = (
        MASTER_V3.replace(f"POOL_UUID={POOL}", "POOL_UUID=00000000-0000-0000-0000-000000000000")
        .replace(f"{DOMAIN}:Active", f"'{DOMAIN}':'Inactive'")
        .replace("LEASETIMESEC=60", "LEASETIMESEC=")
    )
    metadata = domain_metadata.decode(sealed(old), PATH)
    assert metadata.pools == ()
    assert metadata.lease_time_s == 60
    assert metadata.pool is not None
    assert metadata.pool.domains[DOMAIN] is DomainStatus.ATTACHED


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("VERSION=5\n", "", errors.MetadataKeyNotFound),
        ("VERSION=5", "VERSION=1", errors.UnsupportedDomainVersion),
        ("VERSION=5", "VERSION=6", errors.UnsupportedDomainVersion),
        ("VERSION=5", "VERSION=-5", errors.MetadataKeyError),
        ("VERSION=5", "VERSION=5_0", errors.MetadataKeyError),
        ("VERSION=5", "VERSION=" + "9" * 5000, errors.MetadataKeyError),
        (f"SDUUID={DOMAIN}", "SDUUID=../../etc", errors.MetadataKeyError),
        (f"SDUUID={DOMAIN}\n", "", errors.MetadataKeyNotFound),
        ("TYPE=NFS", "TYPE=FLOPPY", errors.MetadataKeyError),
        ("CLASS=Data", "CLASS=Unknown", errors.MetadataKeyError),
        ("ROLE=Regular", "ROLE=King", errors.MetadataKeyError),
        (f"POOL_UUID={POOL}", f"POOL_UUID={POOL},", errors.MetadataKeyError),
        ("BLOCK_SIZE=512", "BLOCK_SIZE=0", errors.MetadataValidationError),
        ("ALIGNMENT=1048576", "ALIGNMENT=3145728", errors.MetadataValidationError),
        ("LEASETIMESEC=60", "LEASETIMESEC=soon", errors.MetadataKeyError),
        ("POOL_UUID", f"POOL_DOMAINS={POOL}\nPOOL_UUID", errors.MetadataKeyError),
        ("POOL_UUID", "POOL_SPM_ID=all\nPOOL_UUID", errors.MetadataKeyError),
    ],
)
def test_a_key_that_is_wrong_under_a_right_checksum_is_named(
    old: str, new: str, error: type[errors.StorageError]
) -> None:
    with pytest.raises(error) as caught:
        domain_metadata.decode(sealed(NFS_V5.replace(old, new)), PATH)
    assert PATH in str(caught.value)


def test_version_4_has_no_other_blocks_than_512_bytes() -> None:
    with pytest.raises(errors.MetadataValidationError):
        domain_metadata.encode(replace(METADATA, version=4, block_size=4096))


@pytest.mark.parametrize("data", [b"", bytes(4096), b"\xff\xfe", b"VERSION=5\n", b"garbage"])
def test_a_file_without_a_seal_is_torn_and_named(data: bytes) -> None:
    with pytest.raises(errors.MetadataSealIsBroken, match=PATH):
        domain_metadata.decode(data, PATH)


@given(st.integers(0, len(sealed(NFS_V5)) - 2))
def test_a_file_cut_anywhere_is_torn(length: int) -> None:
    """The last byte is a line end, which says nothing."""
    with pytest.raises(errors.MetadataSealIsBroken):
        domain_metadata.decode(sealed(NFS_V5)[:length], PATH)


@given(st.integers(0, len(sealed(NFS_V5)) - 2), st.integers(1, 255))
def test_a_changed_byte_is_seen(place: int, change: int) -> None:
    data = bytearray(sealed(NFS_V5))
    data[place] ^= change
    with pytest.raises(errors.StorageError):
        domain_metadata.decode(bytes(data), PATH)


@given(st.binary(max_size=300))
def test_hostile_bytes_are_never_read(data: bytes) -> None:
    with pytest.raises(errors.MetadataSealIsBroken):
        domain_metadata.decode(data, PATH)


@given(st.text(max_size=300))
def test_hostile_lines_under_a_right_seal_are_refused_by_name(text: str) -> None:
    lines = sorted(line for line in text.split("\n") if line.partition("=")[1])
    body = "".join(lines).encode("ascii", "xmlcharrefreplace")
    data = "\n".join([*lines, f"_SHA_CKSUM={hashlib.sha1(body).hexdigest()}"])
    with pytest.raises((errors.MetadataSealIsBroken, errors.MetadataKeyNotFound)):
        domain_metadata.decode(data.encode(), PATH)


uuids = st.uuids().map(str)
words = st.text(
    st.characters(
        exclude_categories=["Cs"],
        exclude_characters="\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\0",
    ),
    max_size=60,
)
numbers = st.integers(0, 10**9)
pool_metadata = st.builds(
    PoolMetadata,
    description=words,
    domains=st.dictionaries(uuids, st.sampled_from(DomainStatus), max_size=5),
    spm_id=st.integers(-1, 2000),
    spm_lver=st.integers(-1, 10**6),
    master_version=numbers,
)
domains = st.builds(
    DomainMetadata,
    uuid=uuids,
    version=st.just(5),
    kind=st.sampled_from(DomainType),
    role=st.sampled_from(Role),
    domain_class=st.sampled_from(DomainClass).filter(lambda one: one is not DomainClass.UNKNOWN),
    description=words,
    remote_path=words,
    pools=st.lists(uuids, max_size=3).map(tuple),
    lock_policy=words,
    lock_renewal_interval_s=numbers,
    lease_time_s=numbers,
    io_op_timeout_s=numbers,
    lease_retries=numbers,
    alignment=st.sampled_from(domain_metadata.ALIGNMENTS),
    block_size=st.sampled_from(domain_metadata.BLOCK_SIZES),
    pool=st.none() | pool_metadata,
    extra=st.dictionaries(st.from_regex(r"X_[A-Z]{1,9}", fullmatch=True), words, max_size=3),
)


@given(domains)
def test_what_is_written_is_read_again(metadata: DomainMetadata) -> None:
    data = domain_metadata.encode(metadata)
    assert domain_metadata.decode(data, PATH) == metadata
    assert domain_metadata.encode(domain_metadata.decode(data, PATH)) == data


@pytest.mark.parametrize("text", ["a\nVERSION=0", "a\rb", "a\0", "\u2028", "\ud800"])
def test_text_that_no_line_can_hold_is_refused(text: str) -> None:
    with pytest.raises(errors.MetadataValidationError):
        domain_metadata.encode(replace(METADATA, description=text))
    with pytest.raises(errors.MetadataValidationError):
        domain_metadata.encode(replace(METADATA, extra={"X": text}))


@pytest.mark.parametrize("key", ["VERSION", "POOL_SPM_ID", "_SHA_CKSUM", "A=B", ""])
def test_an_extra_key_cannot_be_one_of_the_format(key: str) -> None:
    with pytest.raises(errors.MetadataValidationError):
        domain_metadata.encode(replace(METADATA, extra={key: "1"}))
