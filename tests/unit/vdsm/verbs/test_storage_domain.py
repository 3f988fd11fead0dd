# SPDX-License-Identifier: GPL-2.0-or-later
"""StorageDomain.*: as an engine calls them, on local files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from storage.domain_site import DOMAIN, OTHER, POOL, DomainSite, FakePools
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.storage.domain.dump import Dumps
from vdsm.storage.model import BLANK_UUID, DomainClass, DomainStatus
from vdsm.verbs.storage_domain import StorageDomain

IMAGE = "11d0e6f2-7c3f-4d0d-8f3e-5a6b7c8d9e0f"

# What an engine sends of a local domain.
CREATE: dict[str, JSON] = {
    "storagedomainID": DOMAIN,
    "domainType": 4,
    "typeArgs": "/data",
    "name": "data",
    "domainClass": 1,
    "version": "5",
    "blockSize": 0,
    "maxHosts": 250,
}


@dataclass
class RecordedPools(FakePools):
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def attach(self, *arguments: str) -> None:
        self.calls.append(("attach", *arguments))

    def activate(self, *arguments: str) -> None:
        self.calls.append(("activate", *arguments))

    def deactivate(self, *arguments: str | int) -> None:
        self.calls.append(("deactivate", *arguments))

    def detach(self, *arguments: str, force: bool) -> None:
        self.calls.append(("detach", *arguments, force))


class Volumes:
    def images(self, domain: str) -> Sequence[str]:
        return [IMAGE, domain]

    def uuids(self, domain: str, image: str | None = None) -> Sequence[str]:
        return [domain, str(image)]


class World:
    def __init__(self, root: Path) -> None:
        self.pools = RecordedPools()
        self.site = DomainSite(root, pools=self.pools)
        storage = SimpleNamespace(
            domains=self.site.domains,
            lifecycle=self.site.lifecycle,
            dumps=Dumps(self.site.storage),
            pools=self.pools,
            volumes=Volumes(),
        )
        verbs = StorageDomain(cast("Services", SimpleNamespace(storage=storage)))
        self.table = verbs.table()

    def call(self, verb: str, **params: JSON) -> JSON:
        method = f"StorageDomain.{verb}"
        call = Call(method, "f-1", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        return self.table[method](call, schema.load().check(method, params))

    def code(self, verb: str, **params: JSON) -> int:
        with pytest.raises(VdsmError) as raised:
            self.call(verb, **params)
        return raised.value.code

    def made(self, **changes: JSON) -> Path:
        mount = self.site.mount()
        assert self.call("create", **{**CREATE, **changes}) is None
        return mount / DOMAIN


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def of(domain: str = DOMAIN, **more: JSON) -> dict[str, JSON]:
    return {"storagedomainID": domain, **more}


def test_an_engine_makes_a_domain_and_wipes_it(world: World) -> None:
    path = world.made()
    block_size = world.site.domains.find(DOMAIN).metadata().block_size
    assert world.call("getInfo", **of()) == {
        "uuid": DOMAIN,
        "type": "LOCALFS",
        "class": "Data",
        "name": "data",
        "role": "Regular",
        "pool": [],
        "version": "5",
        "block_size": block_size,
        "alignment": 1048576,
        "remotePath": "/data",
    }
    assert world.call("validate", **of()) is None
    assert world.call("format", **of(), autoDetach="false") is None
    assert not path.exists()
    assert world.code("validate", **of()) == 358


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": "0"}, 394),
        ({"storagedomainID": "x"}, 1000),
        ({"typeArgs": "/other"}, 360),
        ({"typeArgs": {"remotePath": "data"}}, 390),
        ({"typeArgs": ["/data"]}, -32602),
        ({"domainClass": "Unknown"}, 386),
        ({"domainClass": "Floppy"}, -32602),
        ({"domainType": 2}, 372),
        ({"blockSize": -1}, 1000),
        ({"maxHosts": "99999999999999999999"}, 1000),
        ({"name": "n" * 51}, 387),
        ({"name": "a\nVERSION=0"}, 1000),
    ],
)
def test_a_domain_that_cannot_be_made_leaves_nothing(
    world: World, changes: dict[str, JSON], code: int
) -> None:
    mount = world.site.mount()
    assert world.code("create", **{**CREATE, **changes}) == code
    assert not list(mount.iterdir())


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("format", {"autoDetach": True}),
        ("attach", {"storagepoolID": POOL}),
        ("activate", {"storagepoolID": POOL}),
        ("detach", {"storagepoolID": POOL}),
        ("getInfo", {}),
        ("getStats", {}),
        ("getFileStats", {"pattern": "*", "caseSensitive": False}),
        ("getImages", {}),
        ("setDescription", {"description": "x"}),
        ("validate", {}),
    ],
)
def test_a_uuid_that_is_none_is_refused_by_name(
    world: World, verb: str, more: dict[str, JSON]
) -> None:
    path = world.made()
    for uuid in ("", "..", "../../etc", "x" * 36, DOMAIN + "\n", "*"):
        with pytest.raises(VdsmError, match="storagedomainID") as raised:
            world.call(verb, **of(uuid, **more))
        assert raised.value.code == 1000
    assert path.is_dir()
    assert not world.pools.calls


def test_the_pool_is_told_what_an_engine_wants(world: World) -> None:
    pool: dict[str, JSON] = {"storagepoolID": POOL}
    assert world.call("attach", **of(**pool)) is None
    world.call("activate", **of(**pool))
    world.call("deactivate", **of(**pool), masterSdUUID=BLANK_UUID, masterVersion="3")
    world.call("detach", **of(**pool), masterSdUUID=BLANK_UUID, masterVersion=0, force="true")
    world.call("detach", **of(**pool))
    assert world.pools.calls == [
        ("attach", POOL, DOMAIN),
        ("activate", POOL, DOMAIN),
        ("deactivate", POOL, DOMAIN, BLANK_UUID, 3),
        ("detach", POOL, DOMAIN, True),
        ("detach", POOL, DOMAIN, False),
    ]


def test_images_and_volumes_are_listed(world: World) -> None:
    assert world.call("getImages", **of()) == [IMAGE, DOMAIN]
    pool: dict[str, JSON] = {"storagepoolID": POOL}
    assert world.call("getVolumes", **of(**pool), imageID=IMAGE) == [DOMAIN, IMAGE]
    assert world.call("getVolumes", **of(**pool), imageID=BLANK_UUID) == [DOMAIN, "None"]


def test_the_spm_names_a_domain(world: World) -> None:
    world.made()
    world.site.domains.find(DOMAIN).change_metadata(lambda found: replace(found, pools=(POOL,)))
    assert world.code("setDescription", **of(), description="new") == 309
    world.pools.pool, world.pools.members = POOL, {DOMAIN: DomainStatus.ACTIVE}
    assert world.code("setDescription", **of(), description="new") == 654
    world.pools.spm = True
    assert world.code("setDescription", **of(), description="n" * 51) == 387
    assert world.code("setDescription", **of(), description="a\nb") == 1000
    assert world.call("setDescription", **of(), description="new") is None
    info = world.call("getInfo", **of())
    assert isinstance(info, dict)
    assert info["name"] == "new"


def test_space_files_and_metadata_are_told(world: World) -> None:
    world.made(domainClass="Iso")
    stats = world.call("getStats", **of())
    assert isinstance(stats, dict)
    assert isinstance(stats["diskfree"], str)
    assert world.call("getFileStats", **of(), pattern="*", caseSensitive=True) == {}
    assert world.call("dump", sd_id=DOMAIN, full=False) == {
        "metadata": world.call("getInfo", **of()),
        "volumes": {},
    }


@pytest.mark.parametrize("verb", ["getInfo", "getStats", "validate"])
def test_a_torn_domain_is_named_by_every_verb(world: World, verb: str) -> None:
    metadata = world.made() / "dom_md/metadata"
    metadata.write_bytes(metadata.read_bytes()[:-20])
    with pytest.raises(VdsmError, match=str(metadata)) as raised:
        world.call(verb, **of())
    assert raised.value.code == 752


def test_a_domain_is_made_once_and_one_on_a_mount(world: World) -> None:
    world.made()
    assert world.code("create", **CREATE) == 365
    assert world.code("create", **{**CREATE, "storagedomainID": OTHER}) == 361
    assert world.site.domains.find(DOMAIN).metadata().domain_class is DomainClass.DATA
