# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters of SDM.*: what engines send, and what anybody else may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.model import Allocation, Format, Legality, VolumeId
from vdsm.storage.sdm import params
from vdsm.storage.sdm.params import Attributes, Endpoint

A, B, C, D = (f"{each}1111111-2222-4333-8444-555555555555" for each in "abcd")
VOLUME = VolumeId(A, B, C)
DIV: dict[str, JSON] = {"endpoint_type": "div", "sd_id": A, "img_id": B, "vol_id": C}
NEW: dict[str, JSON] = {
    "sd_id": A,
    "img_id": B,
    "vol_id": C,
    "virtual_size": "1048576",
    "vol_format": "RAW",
}

READERS: list[Callable[[JSON, str], object]] = [
    params.endpoint,
    params.subchain,
    params.attributes,
    params.compat,
    params.bitmap,
    params.new_volume,
]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*NEW, *DIV, "generation", "base_id", "top_id", "parent", "compat", "type"]
            ),
            inner | st.just(A),
        )
    ),
    max_leaves=12,
)


def refused(read: Callable[[JSON, str], object], value: JSON) -> errors.InvalidParameter | None:
    try:
        read(value, "vol_info")
    except errors.InvalidParameter as error:
        return error
    return None


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=40)
@given(value=anything)
def test_what_is_sent_is_read_or_named(read: Callable[[JSON, str], object], value: JSON) -> None:
    error = refused(read, value)
    assert error is None or error.field.startswith("vol_info")
    assert error is None or len(error.message) < 300


def test_an_endpoint_as_an_engine_sends_it() -> None:
    assert params.endpoint(DIV | {"generation": 3}, "source") == Endpoint(VOLUME, 3)
    assert params.endpoint(DIV | {"generation": "999"}, "source") == Endpoint(VOLUME, 999)
    assert params.endpoint(DIV, "source") == Endpoint(VOLUME, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endpoint_type": "external", "url": "nbd:unix:/x"}, "endpoint_type"),
        ({"endpoint_type": "other"}, "endpoint_type"),
        ({"sd_id": "../../etc"}, "sd_id"),
        ({"img_id": None}, "img_id"),
        ({"vol_id": 1}, "vol_id"),
        ({"generation": -1}, "generation"),
        ({"generation": 1000}, "generation"),
        ({"generation": True}, "generation"),
        ({"generation": "9" * 5000}, "generation"),
        ({"generation": "²"}, "generation"),
    ],
)
def test_an_endpoint_that_is_wrong_is_named(change: dict[str, JSON], field: str) -> None:
    with pytest.raises(errors.InvalidParameter) as raised:
        params.endpoint(DIV | change, "source")
    assert raised.value.field == f"source.{field}"


def test_a_subchain() -> None:
    told: JSON = {"sd_id": A, "img_id": B, "top_id": C, "base_id": D, "base_generation": 1}
    read = params.subchain(told, "subchain_info")
    assert (read.top, read.base, read.generation) == (VOLUME, VolumeId(A, B, D), 1)


def test_attributes() -> None:
    told: JSON = {"legality": "ILLEGAL", "description": "", "type": "SHARED", "generation": 0}
    assert params.attributes(told, "a") == Attributes(0, "", Legality.ILLEGAL, shared=True)
    for wrong in ({}, {"type": "LEAF"}, {"legality": "FAKE"}, {"description": 1}):
        with pytest.raises(errors.InvalidParameter):
            params.attributes(wrong, "a")


def test_the_versions_of_qcow2() -> None:
    told = {text: params.compat({"compat": text}, "a") for text in ("0.10", "0.1", "1.1")}
    assert told == {"0.10": "0.10", "0.1": "0.10", "1.1": "1.1"}
    assert params.compat({"compat": 0.10}, "a") == "0.10"
    with pytest.raises(errors.InvalidParameter):
        params.compat({"compat": "1.2"}, "a")


def test_a_bitmap_s_name() -> None:
    assert params.bitmap("--all", "bitmap") == "--all"
    for wrong in ("", "a\nb", "\0", "x" * 1024, "é" * 600, 1, None):
        with pytest.raises(errors.InvalidParameter):
            params.bitmap(wrong, "bitmap")


def test_a_new_volume() -> None:
    volume, new = params.new_volume(NEW, "vol_info")
    assert volume == VOLUME
    told = (new.capacity, new.format, new.allocation, new.disk_type, new.parent)
    assert told == (1 << 20, Format.RAW, Allocation.SPARSE, "DATA", None)
    parent: JSON = {"img_id": B, "vol_id": D}
    _, new = params.new_volume(NEW | {"vol_format": 4, "parent": parent}, "vol_info")
    assert (new.format, new.parent) == (Format.COW, VolumeId(A, B, D))
    _, new = params.new_volume(NEW | {"initial_size": 4096}, "vol_info")
    assert (new.allocation, new.initial_size) == (Allocation.PREALLOCATED, 4096)
    _, new = params.new_volume(NEW | {"allocation": "PREALLOCATED"}, "vol_info")
    assert (new.allocation, new.initial_size) == (Allocation.PREALLOCATED, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"virtual_size": -1}, "virtual_size"),
        ({"virtual_size": 1 << 63}, "virtual_size"),
        ({"virtual_size": None}, "virtual_size"),
        ({"vol_format": "qcow2"}, "vol_format"),
        ({"parent": {"img_id": B}}, "parent.vol_id"),
        ({"parent": []}, "parent"),
        ({"disk_type": 2}, "disk_type"),
        ({"description": ["x"]}, "description"),
        ({"initial_size": "x"}, "initial_size"),
        ({"allocation": 3}, "allocation"),
    ],
)
def test_a_new_volume_that_is_wrong_is_named(change: dict[str, JSON], field: str) -> None:
    with pytest.raises(errors.InvalidParameter) as raised:
        params.new_volume(NEW | change, "vol_info")
    assert raised.value.field == f"vol_info.{field}"
