# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters of Volume.*: engines' words become values, and what cannot be is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.volume_site import BASE, IMAGE, OTHER_IMAGE, TOP
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.model import (
    BLANK_UUID,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeType,
)
from vdsm.storage.volume import params as read
from vdsm.storage.volume.volumes import NewVolume

CREATE: dict[str, JSON] = {
    "storagedomainID": BASE.domain,
    "imageID": IMAGE,
    "volumeID": TOP.volume,
    "size": "1048576",
    "volFormat": "COW",
    "preallocate": "SPARSE",
    "diskType": "DATA",
    "desc": "",
    "srcImgUUID": BLANK_UUID,
    "srcVolUUID": BLANK_UUID,
}


def test_names_and_numbers_are_read() -> None:
    new = read.new_volume(CREATE)
    assert new == NewVolume(capacity=1 << 20, format=Format.COW, allocation=Allocation.SPARSE)
    assert read.new_volume(CREATE | {"volFormat": "4", "preallocate": "2"}) == new
    raw = read.new_volume(CREATE | {"volFormat": 5, "preallocate": 1})
    assert (raw.format, raw.allocation) == (Format.RAW, Allocation.PREALLOCATED)


def test_a_parent_is_in_the_same_image_unless_another_is_named() -> None:
    with_parent = CREATE | {"srcVolUUID": BASE.volume}
    assert read.new_volume(with_parent).parent == BASE
    other = read.new_volume(with_parent | {"srcImgUUID": OTHER_IMAGE}).parent
    assert other == VolumeId(BASE.domain, OTHER_IMAGE, BASE.volume)


def test_what_is_optional_is_read() -> None:
    more: dict[str, JSON] = {"legal": False, "sequence": 3, "initialSize": "0", "bitmap": IMAGE}
    new = read.new_volume(CREATE | more)
    assert (new.legality, new.sequence, new.initial_size) == (Legality.ILLEGAL, 3, None)
    assert new.bitmap == IMAGE


def test_sizes_are_rounded_up_to_blocks() -> None:
    sizes = [read.size({"size": text}, "size") for text in ("0", "1", "512", "513")]
    assert sizes == [0, 512, 512, 1024]


@pytest.mark.parametrize(
    "size", ["-1", "", "1.5", "1e9", " 1", "9" * 19, "9" * 5000, "\u0661", None, 1048576, True, []]
)
def test_a_size_that_is_none_is_named(size: JSON) -> None:
    with pytest.raises(errors.InvalidParameter, match="size"):
        read.new_volume(CREATE | {"size": size})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("storagedomainID", "../../etc", errors.InvalidParameter),
        ("imageID", BLANK_UUID, errors.InvalidParameter),
        ("volumeID", f"{BASE.volume}\n", errors.InvalidParameter),
        ("srcVolUUID", "x", errors.InvalidParameter),
        ("volFormat", "vmdk", errors.IncorrectFormat),
        ("preallocate", "3", errors.IncorrectAllocation),
        ("desc", "a\nLEGALITY=LEGAL", errors.InvalidParameter),
        ("desc", "\ud800", errors.InvalidParameter),
        ("sequence", -1, errors.InvalidParameter),
        ("sequence", 1 << 40, errors.InvalidParameter),
        ("bitmap", "-o", errors.InvalidParameter),
        ("initialSize", "-5", errors.InvalidParameter),
    ],
)
def test_what_cannot_be_is_named(name: str, value: JSON, error: type[errors.StorageError]) -> None:
    with pytest.raises(error, match=name):
        read.new_volume(CREATE | {name: value})


def test_a_copy_is_a_leaf_or_a_template() -> None:
    wanted = CREATE | {"volType": "SHARED", "force": False}
    assert read.copy(wanted).volume_type is VolumeType.SHARED
    assert read.copy(wanted | {"volType": 8}).volume_type is VolumeType.LEAF
    with pytest.raises(errors.InvalidParameter, match="volType"):
        read.copy(wanted | {"volType": "INTERNAL"})
    target = {"dstSdUUID": BLANK_UUID, "dstImgUUID": OTHER_IMAGE, "dstVolUUID": TOP.volume}
    assert read.copy_target(CREATE | target) == VolumeId(BASE.domain, OTHER_IMAGE, TOP.volume)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*CREATE, "legal", "sequence", "bitmap", "addBitmaps"]), _json)
def test_hostile_values_are_a_typed_error_or_a_volume(name: str, value: JSON) -> None:
    try:
        read.new_volume(CREATE | {name: value})
        read.copy(CREATE | {name: value})
    except errors.StorageError as error:
        named = error.message
    else:
        return
    assert name in named or "volType" in named
