# SPDX-License-Identifier: GPL-2.0-or-later
"""Image.* and SDM.*: as an engine calls them, on local files, and as nobody should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from storage.domain_site import DOMAIN, OTHER, POOL
from storage.image_site import BASE, IMAGE, LEAF, OTHER_IMAGE, ImageSite
from vdsm.jobs import Jobs
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.storage.model import BLANK_UUID, DomainStatus
from vdsm.storage.sdm.jobs import SdmJobs
from vdsm.verbs.image import Image
from vdsm.verbs.sdm import Sdm

DEADLINE_S = 30
JOB = "f1111111-2222-4333-8444-555555555555"
MISSING = "e1111111-2222-4333-8444-555555555555"
ON_IMAGE: dict[str, JSON] = {
    "storagepoolID": POOL,
    "storagedomainID": DOMAIN,
    "imageID": IMAGE,
}
MOVE = ON_IMAGE | {"dstSdUUID": OTHER, "operation": 2, "postZero": False, "force": False}
DELETE = ON_IMAGE | {"postZero": "false", "force": "false"}
VOLUME: dict[str, JSON] = {"sd_id": DOMAIN, "img_id": IMAGE, "vol_id": LEAF}
SUBCHAIN: dict[str, JSON] = {"sd_id": DOMAIN, "img_id": IMAGE, "top_id": LEAF, "base_id": BASE}


class World:
    """A connected pool with two domains, of which this host is SPM; one image in the first."""

    def __init__(self, root: Path) -> None:
        self.site = ImageSite(root)
        self.site.made(uuid=OTHER, remote_path="/other")
        self.site.chain(IMAGE, BASE, LEAF)
        pools = self.site.pools
        pools.pool, pools.spm = POOL, True
        pools.members.update({DOMAIN: DomainStatus.ACTIVE, OTHER: DomainStatus.ACTIVE})
        self.jobs = Jobs()
        self.tasks = self.site.recoveries
        kept = root / "tasks"
        kept.mkdir()
        self.tasks.attach(POOL, self.site.filesystems.at(kept))
        self.sdm = SdmJobs(
            self.site.domains,
            self.site.store,
            self.site.resources,
            pools,
            self.site.qemu_img,
            self.jobs,
            Events(),
        )
        storage = SimpleNamespace(
            images=self.site.images, pools=pools, tasks=self.tasks, sdm=self.sdm
        )
        services = cast("Services", SimpleNamespace(storage=storage))
        sdm = Sdm(services)
        self.table = Image(services).table() | sdm.local_table() | sdm.table()

    def call(self, method: str, **params: JSON) -> JSON:
        call = Call(method, "f-1", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        return self.table[method](call, schema.load().check(method, params))

    def code(self, method: str, **params: JSON) -> int:
        with pytest.raises(VdsmError) as raised:
            self.call(method, **params)
        return raised.value.code

    def done(self, task: JSON) -> JSON:
        """The code of a task's end."""
        assert self.tasks.wait(str(task), DEADLINE_S)
        return self.tasks.status(str(task))["code"]

    def ended(self, job: str) -> dict[str, JSON]:
        assert self.sdm._workers.drain(DEADLINE_S)
        told = self.jobs.info()[job]
        assert isinstance(told, dict)
        return told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.sdm.close()
    made.tasks.close(DEADLINE_S)


def test_an_image_is_prepared_listed_torn_down_and_deleted(world: World) -> None:
    prepared = world.call("Image.prepare", **ON_IMAGE, volumeID=LEAF)
    assert isinstance(prepared, dict)
    assert str(prepared["path"]).endswith(f"{POOL}/{DOMAIN}/images/{IMAGE}/{LEAF}")
    assert world.call("Image.getVolumes", **ON_IMAGE) == [BASE, LEAF]
    assert world.call("Image.teardown", **ON_IMAGE, volumeID=LEAF) is None
    assert world.call("Image.teardown", **ON_IMAGE) is None
    assert world.done(world.call("Image.delete", **DELETE)) == 0
    assert world.call("Image.getVolumes", **ON_IMAGE) == []


def test_the_leaf_of_an_image_is_deleted(world: World) -> None:
    wanted = ON_IMAGE | {"volumeList": [LEAF]}
    assert world.done(world.call("Image.deleteVolumes", **wanted)) == 0
    assert world.call("Image.getVolumes", **ON_IMAGE) == [BASE]
    assert world.done(world.call("Image.deleteVolumes", **wanted)) == 201


def test_a_chain_is_reconciled(world: World) -> None:
    assert world.call("Image.reconcileVolumeChain", **ON_IMAGE, leafVolID=LEAF) == [BASE, LEAF]


def test_what_needs_the_spm_is_refused_without(world: World) -> None:
    calls: dict[str, dict[str, JSON]] = {
        "Image.cloneStructure": ON_IMAGE | {"dstSdUUID": OTHER},
        "Image.delete": DELETE,
        "Image.deleteVolumes": ON_IMAGE | {"volumeList": [LEAF]},
        "Image.move": MOVE,
        "Image.reconcileVolumeChain": ON_IMAGE | {"leafVolID": LEAF},
        "Image.syncData": ON_IMAGE | {"dstSdUUID": OTHER, "syncType": "ALL"},
        "StoragePool.prepareMerge": {"storagepoolID": POOL, "subchainInfo": SUBCHAIN},
        "StoragePool.finalizeMerge": {"storagepoolID": POOL, "subchainInfo": SUBCHAIN},
    }
    world.site.pools.spm = False
    assert {world.code(method, **params) for method, params in calls.items()} == {654}
    world.site.pools.pool = None
    assert {world.code(method, **params) for method, params in calls.items()} == {309}
    assert world.site.names() == [IMAGE]


def test_a_domain_of_another_pool_is_refused(world: World) -> None:
    del world.site.pools.members[OTHER]
    assert world.code("Image.move", **MOVE) == 375
    assert world.code("Image.delete", **DELETE | {"storagedomainID": OTHER}) == 375


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("Image.prepare", ON_IMAGE | {"volumeID": MISSING}, 201),
        ("Image.prepare", ON_IMAGE | {"volumeID": LEAF, "imageID": OTHER_IMAGE}, 201),
        ("Image.prepare", ON_IMAGE | {"volumeID": LEAF, "storagepoolID": MISSING}, 309),
        ("Image.prepare", ON_IMAGE | {"volumeID": "../../etc/shadow"}, 1000),
        ("Image.prepare", ON_IMAGE | {"volumeID": LEAF, "storagedomainID": MISSING}, 358),
        ("Image.teardown", ON_IMAGE | {"imageID": ".."}, 1000),
        ("Image.teardown", ON_IMAGE | {"storagedomainID": MISSING}, 358),
        ("Image.getVolumes", ON_IMAGE | {"storagedomainID": "x"}, 1000),
        ("Image.delete", DELETE | {"imageID": OTHER_IMAGE}, 268),
        ("Image.delete", DELETE | {"imageID": "_remove_me_"}, 1000),
        ("Image.delete", DELETE | {"discard": True}, 349),
        ("Image.deleteVolumes", ON_IMAGE | {"volumeList": []}, 1000),
        ("Image.deleteVolumes", ON_IMAGE | {"volumeList": [LEAF, "a/b"]}, 1000),
        ("Image.move", MOVE | {"operation": 0}, 1000),
        ("Image.move", MOVE | {"dstSdUUID": DOMAIN}, 1000),
        ("Image.move", MOVE | {"imageID": OTHER_IMAGE}, 268),
        ("Image.reconcileVolumeChain", ON_IMAGE | {"leafVolID": MISSING}, 201),
        ("SDM.merge", {"job_id": "x", "subchain_info": SUBCHAIN}, 1000),
        ("SDM.copy_data", {"job_id": JOB, "source": VOLUME, "destination": VOLUME}, 1000),
        ("SDM.amend_volume", {"job_id": JOB, "vol_info": VOLUME, "qcow2_attr": {}}, 1000),
        ("SDM.update_volume", {"job_id": JOB, "vol_info": VOLUME, "vol_attr": {}}, 1000),
        ("SDM.add_bitmap", {"job_id": JOB, "vol_info": VOLUME, "bitmap": ""}, 1000),
    ],
)
def test_what_is_wrong_is_told_at_once_and_changes_nothing(
    world: World, method: str, params: dict[str, JSON], code: int
) -> None:
    assert world.code(method, **params) == code
    assert world.site.names() == [IMAGE]
    assert world.jobs.info() == {}


def test_without_a_pool_an_image_can_be_prepared(world: World) -> None:
    wanted = ON_IMAGE | {"volumeID": LEAF, "storagepoolID": BLANK_UUID}
    prepared = world.call("Image.prepare", **wanted)
    assert isinstance(prepared, dict)
    assert prepared["path"] == str(world.site.links.path(DOMAIN, IMAGE) / LEAF)


def test_a_job_is_registered_once_and_tells_what_became_of_it(world: World) -> None:
    wanted: dict[str, JSON] = {
        "job_id": JOB,
        "vol_info": VOLUME | {"generation": 7},
        "vol_attr": {"description": "x"},
    }
    assert world.call("SDM.update_volume", **wanted) is None
    told = world.ended(JOB)
    assert told["status"] == "failed"
    assert told["description"] == "update_volume"
    assert isinstance(told["error"], dict)
    assert told["error"]["code"] == 911
    assert world.code("SDM.update_volume", **wanted) == 69


def test_jobs_need_a_connected_pool(world: World) -> None:
    world.site.pools.pool = None
    assert world.code("SDM.clear_bitmaps", job_id=JOB, vol_info=VOLUME) == 313
    assert world.jobs.info() == {}
