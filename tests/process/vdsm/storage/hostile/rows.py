# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of calls and the codes that refuse them, and what sees to it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from process.vdsm.storage.hostile.world import DATA, IMAGE, LEAF, POOL, UNKNOWN, World
from vdsm.storage.model import BLANK_UUID

Row = tuple[str, dict[str, Any], int]
MIB = 1 << 20


def of(volume: str = LEAF, image: str = IMAGE, domain: str = DATA, **more: Any) -> dict[str, Any]:
    return on(domain, imageID=image, volumeID=volume, **more)


def on(domain: str = DATA, **more: Any) -> dict[str, Any]:
    return {"storagepoolID": POOL, "storagedomainID": domain, **more}


def new(domain: str = DATA, image: str = IMAGE, **more: Any) -> dict[str, Any]:
    return of(
        UNKNOWN,
        image,
        domain,
        **{
            "size": str(MIB),
            "volFormat": 5,
            "preallocate": 2,
            "diskType": "DATA",
            "desc": "",
            "srcImgUUID": BLANK_UUID,
            "srcVolUUID": BLANK_UUID,
            **more,
        },
    )


def above(image: str, volume: str, **more: Any) -> dict[str, Any]:
    return new(volFormat=4, srcImgUUID=image, srcVolUUID=volume, **more)


def copy(**more: Any) -> dict[str, Any]:
    return of(
        **{
            "dstSdUUID": DATA,
            "dstImgUUID": UNKNOWN,
            "dstVolUUID": UNKNOWN,
            "desc": "",
            "volType": 8,
            "volFormat": 5,
            "preallocate": 2,
            "postZero": False,
            "force": False,
            **more,
        }
    )


def move(target: str, **more: Any) -> dict[str, Any]:
    flags = {"operation": 2, "postZero": False, "force": False}
    return on(imageID=IMAGE, dstSdUUID=target, **flags, **more)


def gone(domain: str = DATA, image: str = IMAGE) -> dict[str, Any]:
    return on(domain, imageID=image, postZero=False, force=False)


def div(volume: str = LEAF, image: str = IMAGE, domain: str = DATA, **more: Any) -> dict[str, Any]:
    return {"sd_id": domain, "img_id": image, "vol_id": volume, **more}


def sdm(**params: Any) -> dict[str, Any]:
    return {"job_id": BLANK_UUID, **params}  # gets one of its own when it is called


def see(world: World, rows: list[Row]) -> None:
    """Each row ends with its code and changes nothing; all are tried before the test fails."""
    calls = [
        (verb, params | {"job_id": str(uuid4())}) if "job_id" in params else (verb, params)
        for verb, params, _ in rows
    ]
    ended = zip(rows, world.refused(calls), strict=True)
    assert not [
        f"{verb}: {told} and not {code}: {message}"
        for (verb, _, code), (told, message) in ended
        if told != code
    ]
