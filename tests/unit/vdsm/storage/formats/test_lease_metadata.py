# SPDX-License-Identifier: GPL-2.0-or-later
"""The block of a lease: round trips, and what is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.storage import errors
from vdsm.storage.formats import lease_metadata
from vdsm.storage.formats.lease_metadata import (
    MAX_NUMBER,
    LeaseJobStatus,
    LeaseMetadata,
    LeaseMetadataError,
)

NUMBERS = st.integers(0, MAX_NUMBER)
METADATA = st.builds(
    LeaseMetadata,
    st.uuids().map(str),
    st.sampled_from(LeaseJobStatus),
    NUMBERS,
    st.none() | NUMBERS,
    st.none() | NUMBERS,
    st.none() | st.uuids().map(str),
)
JOB = "44444444-4444-4444-8444-444444444444"
GIVEN: dict[str, Any] = {"type": "JOB", "job_id": JOB, "job_status": "PENDING", "generation": 0}


@given(METADATA)
def test_any_metadata_fits_a_sector_and_is_read_again(metadata: LeaseMetadata) -> None:
    block = lease_metadata.dump(metadata, 512)
    assert len(block) == 512
    assert lease_metadata.load(block) == metadata


def test_the_block_is_ovirt_s() -> None:
    block = lease_metadata.dump(lease_metadata.parse({**GIVEN, "created": 5}), 512)
    assert json.loads(block.rstrip(b"\0")) == {**GIVEN, "created": 5}


def test_a_lease_that_nobody_wrote_to_has_none() -> None:
    assert lease_metadata.load(bytes(512)) is None


@given(st.binary(max_size=512))
def test_any_block_is_metadata_or_is_refused(block: bytes) -> None:
    try:
        found = lease_metadata.load(block)
    except LeaseMetadataError:
        return
    assert found is None or lease_metadata.load(lease_metadata.dump(found, 512)) == found


@pytest.mark.parametrize(
    "block", [b"[]", b"{}", b'{"type": "JOB"}', b"[" * 500, b"\xff", b"{}\0{}"]
)
def test_what_is_no_metadata_is_refused(block: bytes) -> None:
    with pytest.raises(LeaseMetadataError, match="is not metadata of a lease"):
        lease_metadata.load(block)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "VM"),
        ("job_id", "../x"),
        ("job_status", "DONE"),
        ("job_status", ["PENDING"]),
        ("generation", -1),
        ("generation", True),
        ("generation", None),
        ("generation", 1 << 63),
        ("created", "now"),
        ("modified", 0.5),
        ("host_hardware_id", "host"),
    ],
)
def test_bad_parameters_are_named(field: str, value: object) -> None:
    with pytest.raises(errors.InvalidParameter, match=rf"metadata\.{field}"):
        lease_metadata.parse({**GIVEN, field: value})  # type: ignore[dict-item]


def test_metadata_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LeaseMetadataError, match="do not fit"):
        lease_metadata.dump(lease_metadata.parse(GIVEN), 16)
