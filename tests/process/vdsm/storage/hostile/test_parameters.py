# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes, paths, names, lists and words that no engine sends: refused by oVirt's code."""

from __future__ import annotations

from typing import Any

import pytest

from process.vdsm.storage.hostile.rows import Row, div, new, of, on, sdm, see
from process.vdsm.storage.hostile.world import (
    BASE,
    DATA,
    FOREIGN,
    IMAGE,
    ISO,
    OTHER_IMAGE,
    POOL,
    SINGLE,
    UNKNOWN,
    World,
)
from storage.engine import BLANK, LEASES
from vdsm.jsonrpc.errors import Code

_BAD = int(Code.INVALID_PARAMS)
_MANY = [f"f2222222-2222-4333-8444-{number:012d}" for number in range(10_000)]
_SIZES = [
    "-1",
    "-9223372036854775808",
    str(1 << 64),
    "9" * 5000,
    "1e6",
    "0x10",
    "1.5",
    "",
    "\u0661",
]
_PATHS = ["../../etc", "/data/../etc", "/data/..", "", "etc", "/data\0", "/\n", "/" + "x" * 5000]


def _single(verb: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return verb, of(SINGLE, OTHER_IMAGE, **more)


def _rows() -> dict[str, list[Row]]:
    create = {
        "storagedomainID": UNKNOWN,
        "domainType": 4,
        "typeArgs": {"remotePath": "/data"},
        "name": "new",
        "domainClass": 1,
        "version": 5,
    }
    pool = {
        "storagepoolID": UNKNOWN,
        "name": "new",
        "masterSdUUID": FOREIGN,
        "masterVersion": 1,
        "domainList": [FOREIGN],
        **LEASES,
    }
    connect = {
        "storagepoolID": POOL,
        "hostID": 1,
        "scsiKey": "",
        "masterSdUUID": DATA,
        "masterVersion": 1,
    }
    start = {"storagepoolID": POOL, "prevID": -1, "prevLver": "-1", "enableScsiFencing": "false"}
    job = {"vol_info": div(SINGLE, OTHER_IMAGE)}
    made = div(UNKNOWN, OTHER_IMAGE, virtual_size=1 << 20, vol_format="RAW")
    return {
        "size": [("Volume.create", new(size=size), 1000) for size in _SIZES],
        "no size": [("Volume.create", new(size="0"), 229)],
        "initialSize": [
            ("Volume.create", new(preallocate=1, initialSize=size), 1000) for size in _SIZES if size
        ],
        "newSize": [(*_single("Volume.extendSize", newSize=size), 1000) for size in _SIZES],
        "smaller": [(*_single("Volume.extendSize", newSize="512"), 232)],
        "more than the file system has": [
            ("Volume.create", new(size=str(1 << 40), preallocate=1), 397),
        ],
        "virtual_size": [
            ("SDM.create_volume", sdm(vol_info=made | {"virtual_size": size}), code)
            for size, code in ((-1, _BAD), ("x", _BAD), (1 << 64, 1000), (0, 229), (None, _BAD))
        ],
        "generation": [
            ("SDM.update_volume", sdm(**job, vol_attr={"generation": number}), code)
            for number, code in ((-1, _BAD), (1 << 40, 1000))
        ],
        "another generation": [
            (
                "SDM.update_volume",
                sdm(vol_info=job["vol_info"] | {"generation": 7}, vol_attr={"description": "new"}),
                911,
            )
        ],
        "remotePath": [
            ("StorageDomain.create", create | {"typeArgs": {"remotePath": path}}, 390)
            for path in _PATHS
        ],
        "not mounted": [
            ("StorageDomain.create", create | {"typeArgs": {"remotePath": "/etc"}}, 360),
        ],
        "there already": [
            ("StorageDomain.create", create | {"storagedomainID": DATA}, 365),
            ("StorageDomain.create", create, 361),
            (
                "Volume.create",
                of(SINGLE, OTHER_IMAGE)
                | {
                    key: value for key, value in new().items() if key not in ("volumeID", "imageID")
                },
                212,
            ),
        ],
        "words": [
            ("StorageDomain.create", create | {"version": 9}, 394),
            ("StorageDomain.create", create | {"blockSize": 7}, 1000),
            ("StorageDomain.create", create | {"maxHosts": 1 << 40}, 1000),
            ("StorageDomain.create", create | {"domainType": "FLOPPY"}, _BAD),
            ("StorageDomain.create", create | {"domainType": "ISCSI"}, 372),
            ("Volume.create", new(volFormat="VMDK"), _BAD),
            ("Volume.create", new(preallocate=3), _BAD),
            ("Volume.create", new(sequence=-1), 1000),
            ("Volume.create", new(volFormat=5, srcVolUUID=SINGLE, srcImgUUID=OTHER_IMAGE), 202),
            (*_single("Volume.setLegality", legality="MAYBE"), _BAD),
            ("StoragePool.upgrade", {"storagepoolID": POOL, "targetDomVersion": 99}, 394),
            ("StoragePool.spmStart", start | {"prevID": 1 << 40}, 1000),
            ("StoragePool.spmStart", start | {"prevLver": "x"}, 1000),
            ("StoragePool.connect", connect | {"hostID": 0}, 1000),
            ("StoragePool.connect", connect | {"hostID": 1 << 70}, 1000),
            ("StoragePool.connect", connect | {"masterVersion": -1}, 1000),
            ("StoragePool.connect", connect | {"domainDict": {DATA: "gone"}}, _BAD),
            ("StoragePool.create", pool | {"leaseTimeSec": -1}, 1000),
            (
                "Image.move",
                on(imageID=IMAGE, dstSdUUID=DATA, operation=9, postZero=0, force=0),
                _BAD,
            ),
        ],
        "texts": [
            ("StorageDomain.setDescription", on(description="x" * 51), 387),
            ("StorageDomain.setDescription", on(description="a\nPOOL_UUID=b"), 1000),
            ("StorageDomain.create", create | {"name": "x" * 51}, 387),
            ("StoragePool.setDescription", {"storagepoolID": POOL, "description": "x" * 51}, 327),
            ("StoragePool.setDescription", {"storagepoolID": POOL, "description": "a\nb"}, 1000),
            ("Volume.create", new(desc="a\nLEGALITY=LEGAL"), 1000),
            (*_single("Volume.setDescription", description="a\nLEGALITY=FAKE"), 1000),
            ("SDM.add_bitmap", sdm(vol_info=div(), bitmap="x" * 2000), 1000),
            ("SDM.add_bitmap", sdm(vol_info=div(), bitmap="--help\n"), 1000),
            ("SDM.update_volume", sdm(**job, vol_attr={"description": "a\nEOF"}), 753),
        ],
        "patterns": [
            ("StorageDomain.getFileStats", on(DATA, pattern="*", caseSensitive=True), 330),
        ],
        "10,000 entries": [
            ("StoragePool.create", pool | {"domainList": _MANY}, 328),
            ("StoragePool.connect", connect | {"domainDict": dict.fromkeys(_MANY, "Active")}, 328),
            ("Image.deleteVolumes", on(imageID=IMAGE, volumeList=_MANY), 201),
        ],
        "types": [
            (verb, params, _BAD)
            for verb, params in (
                ("Volume.create", new(size=1 << 20)),
                ("Volume.create", new(desc=None)),
                ("Volume.create", new(legal="perhaps")),
                ("StoragePool.create", pool | {"domainList": DATA}),
                ("StoragePool.connect", connect | {"domainDict": [DATA]}),
                ("StoragePool.updateVMs", on(vmList=[{"vm": UNKNOWN, "imglist": "", "ovf": 1}])),
                ("SDM.copy_data", sdm(source=[], destination=div())),
                ("StorageDomain.format", on(autoDetach=1)),
            )
        ],
        "a domain in use": [
            ("StorageDomain.format", on(autoDetach=True), 392),
            ("StorageDomain.detach", on(force=True), 383),
            ("Volume.delete", of(BASE, postZero=False, force=False), 204),
        ],
        "tasks": [
            (verb, {"taskID": UNKNOWN}, 401)
            for verb in ("Task.getStatus", "Task.getInfo", "Task.stop", "Task.revert", "Task.clear")
        ],
    }


_ROWS = _rows()


@pytest.mark.parametrize("name", _ROWS)
def test_what_no_engine_sends_is_refused(world: World, name: str) -> None:
    see(world, _ROWS[name])


@pytest.mark.parametrize("kind", [1, 4, 6])
def test_a_connection_that_leads_elsewhere_is_not_made(world: World, kind: int) -> None:
    before = world.host.snapshot()
    references = [{"id": BLANK, "connection": path} for path in ("..", "/..", "server:/../x", "")]
    params = {"storagepoolID": BLANK, "domainType": kind, "connectionParams": references}
    for verb in ("connectStorageServer", "disconnectStorageServer"):
        answers = world.host.call(f"StoragePool.{verb}", params)
        assert [answer["status"] for answer in answers] == [1000] * len(references)
    assert world.host.snapshot() == before


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "*/../../*", "[", "(" * 5000, "\0"])
def test_a_pattern_finds_nothing_outside(world: World, pattern: str) -> None:
    params = {"storagedomainID": ISO, "pattern": pattern, "caseSensitive": False}
    assert world.host.call("StorageDomain.getFileStats", params) == {}
