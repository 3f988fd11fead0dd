# SPDX-License-Identifier: GPL-2.0-or-later
"""What is found of volumes: chains, broken ones among them, and what uploads say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.volume_site import (
    BASE,
    IMAGE,
    OTHER,
    OTHER_IMAGE,
    TOP,
    VolumeSite,
    header,
    volume,
)
from vdsm.storage import errors, layout
from vdsm.storage.model import Format, Legality, VolumeId, VolumeType
from vdsm.storage.volume.qcow2 import BadHeader, read_header


@pytest.fixture
def site(tmp_path: Path) -> VolumeSite:
    return VolumeSite(tmp_path)


def test_volumes_are_found_by_image_and_by_domain(site: VolumeSite) -> None:
    site.create(BASE)
    site.share(BASE)
    clone = volume(9, OTHER_IMAGE)
    site.create(clone, parent=BASE)
    removed = site.path_of_domain / layout.IMAGES / f"{layout.REMOVED_IMAGE_PREFIX}{IMAGE}"
    removed.mkdir()
    (removed / f"{TOP.volume}.meta").write_bytes(b"")
    assert site.volumes.uuids(BASE.domain) == [BASE.volume, clone.volume]
    assert site.volumes.uuids(BASE.domain, OTHER_IMAGE) == [BASE.volume, clone.volume]
    assert site.volumes.uuids(BASE.domain, volume(7).volume) == []
    assert site.volumes.images(BASE.domain) == [IMAGE, OTHER_IMAGE]


def test_a_chain_with_a_loop_is_refused(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    site.set(BASE, parent=TOP.volume)
    with pytest.raises(errors.ImageIsNotLegalChain, match="loop"):
        site.volumes.chain(TOP)


def test_a_chain_without_its_base_is_refused(site: VolumeSite) -> None:
    site.create(BASE)
    site.set(BASE, parent=OTHER.volume)
    with pytest.raises(errors.ImageIsNotLegalChain, match=f"{OTHER.volume}, which is not there"):
        site.volumes.chain(BASE)


def test_a_base_in_another_image_that_is_no_template_is_refused(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    site.set(BASE, image=OTHER_IMAGE)
    with pytest.raises(errors.ImageIsNotLegalChain, match="no template"):
        site.volumes.chain(TOP)
    site.set(BASE, volume_type=VolumeType.SHARED)
    assert site.volumes.chain(TOP) == [VolumeId(BASE.domain, OTHER_IMAGE, BASE.volume), TOP]


def test_a_torn_file_is_named_and_another_one_does_not_matter(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(OTHER)
    torn = Path(f"{site.volumes.path(OTHER)}.meta")
    torn.write_bytes(torn.read_bytes()[:100])
    with pytest.raises(errors.VolumeMetadataReadError, match=str(torn)):
        site.volumes.metadata(OTHER)
    assert site.volumes.chain(BASE) == [BASE]
    invalid = {"status": "INVALID", "apparentsize": "0", "truesize": "0"}
    assert site.volumes.info(OTHER) == {"uuid": OTHER.volume, "children": [], **invalid}


def test_the_info_of_a_volume_is_ovirts(site: VolumeSite) -> None:
    site.create(BASE, description="disk", sequence=2)
    site.set(BASE, ctime=1700000000)
    assert site.volumes.info(BASE) == {
        "uuid": BASE.volume,
        "children": [],
        "type": "SPARSE",
        "allocType": "SPARSE",
        "format": "RAW",
        "disktype": "DATA",
        "voltype": "LEAF",
        "capacity": "1048576",
        "parent": "00000000-0000-0000-0000-000000000000",
        "description": "disk",
        "pool": "",
        "domain": BASE.domain,
        "image": IMAGE,
        "ctime": "1700000000",
        "mtime": "0",
        "legality": "LEGAL",
        "generation": 0,
        "sequence": 2,
        "apparentsize": "1048576",
        "truesize": str(site.volumes.sizes(BASE)[1]),
        "status": "OK",
        "lease": {"path": f"{site.volumes.path(BASE)}.lease", "offset": 0, "owners": []},
    }
    site.volumes.set_legality(BASE, Legality.ILLEGAL)
    site.volumes.set_description(BASE, "d" * 300)
    assert site.volumes.metadata(BASE).description == "d" * 210


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "upload",
    [
        header("/etc/shadow"),
        header("json:{}"),
        header("nbd://host"),
        header(OTHER.volume),
        header(f"../../{BASE.volume}"),
        header(features=4),
        header(version=9),
        b"QFI\xfb",
        b"",
        b"\0" * 4096,
    ],
)
def test_an_upload_that_names_other_files_is_refused(site: VolumeSite, upload: bytes) -> None:
    site.create(BASE, format=Format.COW)
    site.volumes.path(BASE).write_bytes(upload)
    with pytest.raises(errors.ImageVerificationError):
        site.volumes.verify_untrusted(BASE)
    with pytest.raises(errors.ImageIsNotLegalChain):
        site.volumes.images_of_chain(BASE)


def test_a_qcow2_image_in_a_raw_volume_is_refused(site: VolumeSite) -> None:
    site.create(BASE)
    site.volumes.path(BASE).write_bytes(header())
    with pytest.raises(errors.ImageVerificationError, match="RAW in the metadata"):
        site.volumes.verify_untrusted(BASE)


def test_a_newer_image_than_the_hosts_of_the_domain_know_is_refused(tmp_path: Path) -> None:
    site = VolumeSite(tmp_path, version=3)
    site.create(BASE, format=Format.COW)
    site.volumes.path(BASE).write_bytes(header(version=3))
    with pytest.raises(errors.ImageVerificationError, match=r"0\.10 at most"):
        site.volumes.verify_untrusted(BASE)


@pytest.mark.parametrize("backing", [BASE.volume, f"../{IMAGE}/{BASE.volume}"])
def test_a_chain_may_name_its_base_as_any_release_did(site: VolumeSite, backing: str) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    site.volumes.path(TOP).write_bytes(header(backing))
    images = site.volumes.images_of_chain(TOP)
    assert [image.path.name for image in images] == [TOP.volume, BASE.volume]


@given(st.binary(max_size=200))
def test_hostile_headers_are_a_typed_error(data: bytes) -> None:
    with pytest.raises(BadHeader):
        read_header(b"QFI\xfb\0\0\0\3" + b"\0\0\xff" + data)


@given(st.binary(min_size=520, max_size=600), st.integers(0, 1 << 64))
def test_a_header_is_read_or_refused(data: bytes, place: int) -> None:
    changed = bytearray(header("base").ljust(600, b"\0"))
    changed[place % 512 : place % 512 + 8] = data[:8]
    try:
        found = read_header(bytes(changed))
    except BadHeader:
        return
    assert found.backing is None or len(found.backing) <= 1023
