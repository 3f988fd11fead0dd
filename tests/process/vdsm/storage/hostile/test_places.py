# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody has done to the storage, and what no client may ask of it: each call, or the task
or the job that it starts, is refused with oVirt's code, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from process.vdsm.storage.hostile.rows import (
    MIB,
    Row,
    above,
    copy,
    div,
    gone,
    move,
    new,
    of,
    on,
    sdm,
    see,
)
from process.vdsm.storage.hostile.world import (
    BASE,
    DATA,
    FOREIGN,
    FOREIGN_POOL,
    FULL,
    IMAGE,
    LEAF,
    OTHER_IMAGE,
    POOL,
    READ_ONLY,
    SINGLE,
    UNKNOWN,
    World,
)
from storage.engine import LEASES
from vdsm.storage import layout

Evil = Callable[[World], AbstractContextManager[None]]

_SUBCHAIN = {"sd_id": DATA, "img_id": IMAGE, "top_id": LEAF, "base_id": BASE}
_JOB = {"type": "JOB", "job_id": UNKNOWN, "job_status": "PENDING", "generation": 0}
_TO_OTHER = div(SINGLE, OTHER_IMAGE)


def _each(code: int, *calls: tuple[str, dict[str, Any]]) -> list[Row]:
    return [(verb, params, code) for verb, params in calls]


_DOMAIN_CALLS = (
    ("StorageDomain.getInfo", on()),
    ("StorageDomain.validate", on()),
    ("StorageDomain.dump", {"sd_id": DATA}),
    ("StorageDomain.setDescription", on(description="new")),
)
_IMAGE_CALLS = (
    ("StorageDomain.getVolumes", on(imageID=IMAGE)),
    ("Image.getVolumes", on(imageID=IMAGE)),
    ("Volume.getInfo", of()),
    ("Volume.setDescription", of(description="new")),
    ("Volume.create", new()),
    ("Volume.delete", of(postZero=False, force=False)),
    ("Image.prepare", of()),
    ("Image.delete", gone()),
    ("Image.move", move(FULL)),
)
_CHAIN_CALLS = (
    ("Image.prepare", of()),
    ("Image.move", move(FULL)),
    ("Image.cloneStructure", on(imageID=IMAGE, dstSdUUID=FULL)),
    ("Volume.copy", copy()),
    ("Volume.measure", of(dstVolFormat=5)),
    ("SDM.copy_data", sdm(source=div(), destination=_TO_OTHER)),
    ("SDM.merge", sdm(subchain_info=_SUBCHAIN)),
    ("StoragePool.prepareMerge", {"storagepoolID": POOL, "subchainInfo": _SUBCHAIN}),
)
# What opens the data of LEAF.
_DATA_CALLS = (
    ("Volume.getQemuImageInfo", of()),
    ("Volume.create", above(IMAGE, LEAF)),
    ("SDM.copy_data", sdm(source=div(), destination=_TO_OTHER)),
    ("SDM.copy_data", sdm(source=_TO_OTHER, destination=div())),
    ("SDM.amend_volume", sdm(vol_info=div(), qcow2_attr={"compat": "0.10"})),
    ("SDM.add_bitmap", sdm(vol_info=div(), bitmap=UNKNOWN)),
    ("SDM.remove_bitmap", sdm(vol_info=div(), bitmap=UNKNOWN)),
    ("SDM.merge", sdm(subchain_info=_SUBCHAIN)),
    ("StoragePool.prepareMerge", {"storagepoolID": POOL, "subchainInfo": _SUBCHAIN}),
    ("Image.reconcileVolumeChain", on(imageID=IMAGE, leafVolID=LEAF)),
)
_META_CALLS = (
    ("Volume.setDescription", of(description="new")),
    ("Volume.copy", copy()),
    ("Volume.measure", of(dstVolFormat=5)),
    ("Image.prepare", of()),
    ("Image.move", move(FULL)),
    ("SDM.update_volume", sdm(vol_info=div(), vol_attr={"description": "new"})),
)


def _link(*way: str) -> Evil:
    return lambda world: world.replaced_by_link(world.directory().joinpath(*way))


def _owner(*way: str) -> Evil:
    return lambda world: world.owned_by_another(world.directory().joinpath(*way))


def _rewritten(path: str, change: Callable[[bytes], bytes]) -> Evil:
    return lambda world: world.rewritten(world.directory() / path, change)


def _based_on(backing: str) -> Evil:
    return lambda world: world.based_on(backing.format(outside=world.outside))


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


_LEAF_PATH = layout.volume(IMAGE, LEAF)
_LEAF_META = layout.volume_meta(IMAGE, LEAF)
_LINKS: dict[str, tuple[Evil, list[Row]]] = {
    "link: dom_md/metadata": (_link(layout.METADATA), _each(1000, *_DOMAIN_CALLS)),
    "link: dom_md": (_link(layout.DOM_MD), _each(1000, *_DOMAIN_CALLS)),
    "link: images": (_link(layout.IMAGES), _each(1000, *_IMAGE_CALLS)),
    "link: image": (_link(layout.image(IMAGE)), _each(1000, *_IMAGE_CALLS)),
    "link: .meta": (_link(_LEAF_META), _each(1000, *_META_CALLS)),
    "link: data": (
        _link(_LEAF_PATH),
        [
            *_each(209, *_DATA_CALLS, ("Volume.getSize", of()), ("Image.prepare", of())),
            *_each(1000, ("Volume.copy", copy()), ("Volume.verify_untrusted", of())),
        ],
    ),
    "link: data of the base": (
        _link(layout.volume(IMAGE, BASE)),
        [
            *_each(209, ("Volume.copy", copy()), ("Volume.measure", of(dstVolFormat=5))),
            *_each(209, ("Image.prepare", of()), ("SDM.merge", sdm(subchain_info=_SUBCHAIN))),
            *_each(209, ("SDM.copy_data", sdm(source=div(), destination=_TO_OTHER))),
            *_each(1000, ("Volume.extendSize", of(BASE, newSize=str(2 * MIB)))),
        ],
    ),
}
_HEADERS: dict[str, tuple[Evil, list[Row]]] = {
    f"based on {backing[:12]}": (
        _based_on(backing),
        [
            *_each(484, ("Volume.verify_untrusted", of())),
            *_each(262, ("Volume.copy", copy()), ("Volume.measure", of(dstVolFormat=5))),
            *_each(262, *(call for call in _DATA_CALLS if call[1].get("destination") != div())),
        ],
    )
    for backing in (
        "/etc/passwd",
        "{outside}/secret",
        "../../../../outside/secret",
        'json:{{"driver":"file","filename":"/etc/passwd"}}',
        "nbd://127.0.0.1:9/x",
        "http://127.0.0.1:9/x",
    )
}
_HEADERS["data of elsewhere"] = (
    _rewritten(_LEAF_PATH, lambda data: data[:79] + bytes([data[79] | 4]) + data[80:]),
    [*_each(262, *_DATA_CALLS, ("Volume.copy", copy())), ("Volume.verify_untrusted", of(), 484)],
)
_CHAINS: dict[str, tuple[Evil, list[Row]]] = {
    "loop": (lambda world: world.looped(), _each(262, *_CHAIN_CALLS)),
    "based on itself": (lambda world: world.told(LEAF, parent=LEAF), _each(262, *_CHAIN_CALLS)),
    "based on another image's": (
        lambda world: world.told(BASE, image=OTHER_IMAGE),
        _each(262, *_CHAIN_CALLS),
    ),
    "based on what is not there": (
        lambda world: world.told(LEAF, parent=UNKNOWN),
        _each(262, *_CHAIN_CALLS),
    ),
}
_TORN: dict[str, tuple[Evil, list[Row]]] = {
    "checksum": (
        _rewritten(layout.METADATA, lambda data: data.replace(b"=data", b"=Data")),
        _each(752, *_DOMAIN_CALLS),
    ),
    "torn metadata": (_rewritten(layout.METADATA, _half), _each(752, *_DOMAIN_CALLS)),
    "binary metadata": (
        _rewritten(layout.METADATA, lambda _: b"\0\xff" * 600),
        _each(752, *_DOMAIN_CALLS),
    ),
    "torn .meta": (
        _rewritten(_LEAF_META, _half),
        [*_each(207, *_META_CALLS), ("Volume.create", above(IMAGE, LEAF), 216)],
    ),
    "empty .meta": (_rewritten(_LEAF_META, lambda _: b""), _each(207, *_META_CALLS)),
}
_OWNERS: dict[str, tuple[Evil, list[Row]]] = {
    "owner of metadata": (_owner(layout.METADATA), _each(385, *_DOMAIN_CALLS)),
    "owner of dom_md": (_owner(layout.DOM_MD), _each(385, *_DOMAIN_CALLS)),
    "owner of .meta": (_owner(_LEAF_META), _each(385, *_META_CALLS)),
    "owner of data": (_owner(_LEAF_PATH), _each(385, *_DATA_CALLS, ("Image.prepare", of()))),
    "owner of image": (_owner(layout.image(IMAGE)), _each(385, *_IMAGE_CALLS)),
}
_EVILS = _LINKS | _HEADERS | _CHAINS | _TORN | _OWNERS


@pytest.mark.parametrize("name", _EVILS)
def test_storage_that_somebody_tampered_with_is_refused(world: World, name: str) -> None:
    evil, rows = _EVILS[name]
    with evil(world):
        see(world, rows)


def _no_room(domain: str, code: int) -> list[Row]:
    return _each(
        code,
        ("Volume.create", new(domain, OTHER_IMAGE)),
        ("Volume.create", new(domain, OTHER_IMAGE, preallocate=1)),
        ("Volume.create", new(domain, UNKNOWN, volFormat=4)),
        ("Volume.setDescription", of(SINGLE, OTHER_IMAGE, domain, description="new")),
        ("Volume.extendSize", of(SINGLE, OTHER_IMAGE, domain, newSize=str(2 * MIB))),
        ("StorageDomain.setDescription", on(domain, description="new")),
        ("Image.move", move(domain)),
        ("SDM.copy_data", sdm(source=div(), destination=div(SINGLE, OTHER_IMAGE, domain))),
    )


def test_a_full_disk_is_told_and_left_as_it_was(world: World) -> None:
    switch = {"oldMasterUUID": DATA, "newMasterUUID": FULL, "masterVersion": 2}
    rows = [
        *_no_room(FULL, 397),
        ("StoragePool.switchMaster", {"storagepoolID": POOL, **switch}, 397),
    ]
    see(world, rows)


def test_a_read_only_export_is_told(world: World) -> None:
    rows = _no_room(READ_ONLY, 385)
    flags = {"postZero": False, "force": False}
    rows.append(("Volume.delete", of(SINGLE, OTHER_IMAGE, READ_ONLY, **flags), 385))
    rows.append(("Image.delete", gone(READ_ONLY, OTHER_IMAGE), 256))
    see(world, rows)


def test_a_domain_of_another_pool_is_refused(world: World) -> None:
    master = {"masterSdUUID": FOREIGN, "masterVersion": 1}
    info = div(UNKNOWN, IMAGE, FOREIGN, virtual_size=MIB, vol_format="RAW")
    rows = [
        *_each(375, ("Volume.create", new(FOREIGN)), ("Image.delete", gone(FOREIGN))),
        *_each(375, ("Image.move", move(FOREIGN)), ("Volume.copy", copy(dstSdUUID=FOREIGN))),
        *_each(375, ("StorageDomain.activate", on(FOREIGN)), ("StorageDomain.detach", on(FOREIGN))),
        *_each(375, ("StoragePool.getBackedUpVmsList", on(FOREIGN))),
        *_each(375, ("StoragePool.removeVM", on(FOREIGN, vmUUID=UNKNOWN))),
        *_each(375, ("SDM.create_volume", sdm(vol_info=info))),
        ("StorageDomain.attach", on(FOREIGN), 380),
        ("StorageDomain.format", on(FOREIGN, autoDetach=False), 391),
        ("StorageDomain.setDescription", on(FOREIGN, description="new"), 309),
        ("Lease.create", {"lease": {"sd_id": FOREIGN, "lease_id": UNKNOWN}}, 309),
        ("Lease.fence", {"lease": {"sd_id": FOREIGN, "lease_id": UNKNOWN}, "metadata": _JOB}, 375),
        ("StoragePool.refresh", {"storagepoolID": POOL, **master}, 324),
        (
            "StoragePool.connect",
            {"storagepoolID": FOREIGN_POOL, "hostID": 1, "scsiKey": "", **master},
            323,
        ),
        (
            "StoragePool.create",
            {"storagepoolID": UNKNOWN, "name": "new", "domainList": [FOREIGN], **master, **LEASES},
            380,
        ),
    ]
    see(world, rows)


def test_a_parent_in_another_image_must_be_a_template(world: World) -> None:
    rows = [
        ("Volume.create", above(OTHER_IMAGE, SINGLE), 214),
        ("Volume.create", above(IMAGE, SINGLE), 201),
        ("Volume.create", above(UNKNOWN, UNKNOWN), 201),
    ]
    see(world, rows)
