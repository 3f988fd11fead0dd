# SPDX-License-Identifier: GPL-2.0-or-later
"""Volume.*: as engines call it, on a domain of files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from storage.domain_site import DOMAIN, OTHER, POOL
from storage.image_site import InlineTask
from storage.volume_site import BASE, IMAGE, OTHER_IMAGE, TOP, VolumeSite
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.storage.model import BLANK_UUID, MIB, DomainStatus
from vdsm.storage.protocols import Job
from vdsm.verbs.volume import Volume

IDS: dict[str, JSON] = {
    "storagepoolID": POOL,
    "storagedomainID": DOMAIN,
    "imageID": IMAGE,
    "volumeID": BASE.volume,
}
CREATE: dict[str, JSON] = IDS | {
    "size": str(MIB),
    "volFormat": "RAW",
    "preallocate": "SPARSE",
    "diskType": "DATA",
    "desc": "disk",
    "srcImgUUID": BLANK_UUID,
    "srcVolUUID": BLANK_UUID,
}
SNAPSHOT: dict[str, JSON] = CREATE | {
    "volumeID": TOP.volume,
    "volFormat": "COW",
    "srcVolUUID": BASE.volume,
}
TASK = InlineTask.id


class InlineTasks:
    """Runs each task where it is started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str | None]] = []
        self.results: list[JSON] = []

    def start(self, verb: str, job: Job, *, pool: str | None = None) -> str:
        self.started.append((verb, pool))
        self.results.append(job(InlineTask()))
        return TASK


class Engine:
    def __init__(self, site: VolumeSite) -> None:
        self.site = site
        self.tasks = InlineTasks()
        site.pools.pool, site.pools.spm = POOL, True
        site.pools.members[DOMAIN] = DomainStatus.ACTIVE
        parts = {"volumes": site.volumes, "pools": site.pools, "tasks": self.tasks}
        services = SimpleNamespace(storage=SimpleNamespace(**parts))
        self.table = Volume(cast("Services", services)).table()

    def call(self, verb: str, params: dict[str, JSON], **more: JSON) -> Any:
        method = f"Volume.{verb}"
        call = Call(method, "", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        return self.table[method](call, schema.load().check(method, params | more))

    def code(self, verb: str, params: dict[str, JSON], **more: JSON) -> int:
        """The code of the error that a call ends with, with nothing changed."""
        before = self.site.snapshot()
        with pytest.raises(VdsmError) as refused:
            self.call(verb, params, **more)
        assert self.site.snapshot() == before
        return refused.value.code


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(VolumeSite(tmp_path))


def test_all_of_the_api_is_there(engine: Engine) -> None:
    known = {name for name in schema.load().verbs if name.startswith("Volume.")}
    assert set(engine.table) == known


def test_volumes_are_made_grown_described_and_deleted(engine: Engine) -> None:
    assert engine.call("create", CREATE) == TASK
    assert engine.call("create", SNAPSHOT) == TASK
    assert engine.tasks.results == [{"uuid": BASE.volume}, {"uuid": TOP.volume}]
    engine.call("extendSize", IDS, newSize=str(2 * MIB))
    assert engine.call("getSize", IDS)["apparentsize"] == str(2 * MIB)
    engine.call("setDescription", IDS, description="new")
    engine.call("setLegality", IDS, legality="ILLEGAL")
    info = engine.call("getInfo", IDS)
    assert (info["description"], info["status"], info["voltype"]) == ("new", "ILLEGAL", "INTERNAL")
    engine.call("delete", IDS | {"volumeID": TOP.volume}, postZero=False, force=False)
    assert engine.call("getInfo", IDS)["voltype"] == "LEAF"
    engine.call("refresh", IDS)
    engine.call("teardown", IDS)
    verbs = [verb for verb, pool in engine.tasks.started if pool == POOL]
    assert verbs == ["createVolume", "createVolume", "extendVolumeSize", "deleteVolume"]


def test_what_cannot_be_has_ovirts_code(engine: Engine) -> None:
    engine.call("create", CREATE)
    assert engine.code("create", CREATE) == 212
    assert engine.code("create", SNAPSHOT, volFormat="RAW") == 202
    assert engine.code("create", SNAPSHOT, srcVolUUID=OTHER) == 201
    assert engine.code("create", SNAPSHOT, size="512") == 1000
    assert engine.code("create", SNAPSHOT, size="0") == 229
    assert engine.code("create", SNAPSHOT, size="-1") == 1000
    assert engine.code("create", SNAPSHOT, imageID=OTHER_IMAGE, srcImgUUID=IMAGE) == 214
    assert engine.code("extendSize", IDS, newSize="512") == 232
    assert engine.code("getInfo", IDS, volumeID=TOP.volume) == 201
    assert engine.code("getSize", IDS, volumeID=TOP.volume) == 201
    assert engine.code("getInfo", IDS, storagedomainID=OTHER) == 358
    assert engine.code("getInfo", IDS, imageID="../../etc") == 1000
    assert engine.code("delete", IDS, postZero=False, force=False, discard=True) == 349
    engine.call("setLegality", IDS, legality="ILLEGAL")
    assert engine.code("create", SNAPSHOT) == 226


def test_what_changes_volumes_is_for_the_spm_of_their_pool(engine: Engine) -> None:
    engine.call("create", CREATE)
    changes: dict[str, dict[str, JSON]] = {
        "create": SNAPSHOT,
        "delete": IDS | {"postZero": False, "force": False},
        "extendSize": IDS | {"newSize": str(2 * MIB)},
        "setDescription": IDS | {"description": ""},
        "setLegality": IDS | {"legality": "LEGAL"},
    }
    for verb, params in changes.items():
        assert engine.code(verb, params, storagepoolID=OTHER) == 309
        engine.site.pools.spm = False
        assert engine.code(verb, params) == 654
        engine.site.pools.spm = True
        status = engine.site.pools.members.pop(DOMAIN)
        assert engine.code(verb, params) == 375
        engine.site.pools.members[DOMAIN] = status
    engine.site.pools.spm = False
    assert engine.call("getInfo", IDS)["status"] == "OK"


def test_a_copy_has_a_place_of_its_own(engine: Engine) -> None:
    engine.call("create", CREATE)
    wanted = IDS | {
        "dstSdUUID": DOMAIN,
        "dstImgUUID": OTHER_IMAGE,
        "dstVolUUID": TOP.volume,
        "desc": "",
        "volType": "SHARED",
        "volFormat": "RAW",
        "preallocate": "SPARSE",
        "postZero": False,
        "force": False,
    }
    assert engine.code("copy", wanted, dstImgUUID=IMAGE) == 1000
    assert engine.code("copy", wanted, dstSdUUID=OTHER) == 375
    assert engine.code("copy", wanted, volType="INTERNAL") == 1000
    assert engine.code("copy", wanted, volumeID=TOP.volume) == 201
    assert engine.tasks.started[1:] == [("copyImage", POOL)]
