# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.*: which domains there are, and how those that are watched do."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.model import BLANK_UUID, DomainClass, DomainMetadata, Role
from vdsm.verbs.host_storage import HostStorage

POOL = "99999999-9999-4999-8999-999999999999"
DATA, ISO, BROKEN = (f"{n}1111111-1111-4111-8111-111111111111" for n in (1, 2, 3))
UNKNOWN = "41111111-1111-4111-8111-111111111111"
VITALS: JSON = {
    "code": 0,
    "valid": True,
    "delay": "0.000100",
    "lastCheck": "1.0",
    "version": 5,
    "acquired": True,
    "actual": True,
}


class FakeDomains:
    def uuids(self) -> list[str]:
        return [DATA, ISO, BROKEN]

    def find(self, uuid: str) -> object:
        if uuid not in self.uuids():
            raise errors.StorageDomainDoesNotExist(uuid)
        return SimpleNamespace(metadata=lambda: self.metadata(uuid))

    def metadata(self, uuid: str) -> DomainMetadata:
        if uuid == BROKEN:
            raise errors.MetadataSealIsBroken(uuid)
        iso = uuid == ISO
        return DomainMetadata(
            uuid=uuid,
            version=0 if iso else 5,
            kind=DomainType.NFS if iso else DomainType.LOCALFS,
            role=Role.REGULAR if iso else Role.MASTER,
            domain_class=DomainClass.ISO if iso else DomainClass.DATA,
            description="",
            remote_path="server:/iso" if iso else "/data",
            pools=() if iso else (POOL,),
        )


@dataclass
class FakeMonitors:
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    of_pool: bool = False

    def stats(self) -> dict[str, JSON]:
        return {DATA: VITALS, ISO: VITALS}

    def start(self, domain: str, host_id: int, *, pool: bool) -> None:
        self.calls.append(("start", domain, host_id, pool))

    def stop(self, domains: list[str]) -> None:
        self.calls.append(("stop", *domains))

    def is_of_pool(self, domain: str) -> bool:
        return self.of_pool


class World:
    def __init__(self) -> None:
        self.monitors = FakeMonitors()
        storage = SimpleNamespace(domains=FakeDomains(), monitors=self.monitors)
        verbs = HostStorage(cast(Services, SimpleNamespace(storage=storage)))
        self.table = verbs.table() | verbs.local_table()

    def call(self, verb: str, **params: JSON) -> JSON:
        name = f"Host.{verb}"
        call = Call(name, "", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        return self.table[name](call, schema.load().check(name, params))

    def code(self, verb: str, **params: JSON) -> int:
        with pytest.raises(VdsmError) as raised:
            self.call(verb, **params)
        return raised.value.code


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, [DATA, ISO, BROKEN]),
        ({"storagepoolID": BLANK_UUID}, [DATA, ISO, BROKEN]),
        ({"domainClass": "Unknown"}, [DATA, ISO, BROKEN]),
        ({"storagepoolID": POOL}, [DATA]),
        ({"domainClass": 1}, [DATA]),
        ({"domainClass": "Iso"}, [ISO]),
        ({"domainClass": "Backup"}, []),
        ({"storageType": "NFS"}, [ISO]),
        ({"storageType": 4}, [DATA]),
        ({"remotePath": "server:/iso/"}, [ISO]),
        ({"remotePath": "server:/iso", "storageType": 4}, []),
    ],
)
def test_domains_are_filtered(world: World, params: dict[str, JSON], found: JSON) -> None:
    assert world.call("getStorageDomains", **params) == found


def test_stats_of_all_or_of_those_that_are_named(world: World) -> None:
    assert world.call("getStorageRepoStats") == {DATA: VITALS, ISO: VITALS}
    assert world.call("getStorageRepoStats", domains=[]) == {DATA: VITALS, ISO: VITALS}
    assert world.call("getStorageRepoStats", domains=[ISO, UNKNOWN]) == {ISO: VITALS}


def test_a_domain_outside_of_the_pool_is_watched_on_request(world: World) -> None:
    assert world.call("startMonitoringDomain", sdUUID=DATA, hostID=7) is None
    assert world.call("stopMonitoringDomain", sdUUID=DATA) is None
    assert world.monitors.calls == [("start", DATA, 7, False), ("stop", DATA)]


def test_a_domain_of_the_pool_is_the_pools_to_watch(world: World) -> None:
    world.monitors.of_pool = True
    assert world.code("stopMonitoringDomain", sdUUID=DATA) == 900
    assert world.monitors.calls == []


@pytest.mark.parametrize(
    ("verb", "params", "code"),
    [
        ("getStorageDomains", {"remotePath": "server:/../etc"}, 1000),
        ("getStorageDomains", {"storagepoolID": "../etc"}, 1000),
        ("getStorageRepoStats", {"domains": ["no uuid"]}, 1000),
        ("startMonitoringDomain", {"sdUUID": UNKNOWN, "hostID": 1}, 358),
        ("startMonitoringDomain", {"sdUUID": DATA, "hostID": 0}, 1000),
        ("startMonitoringDomain", {"sdUUID": DATA, "hostID": 2001}, 1000),
        ("startMonitoringDomain", {"sdUUID": "..", "hostID": 1}, 1000),
        ("stopMonitoringDomain", {"sdUUID": "a/b"}, 1000),
    ],
)
def test_what_cannot_be_meant_is_refused(
    world: World, verb: str, params: dict[str, JSON], code: int
) -> None:
    assert world.code(verb, **params) == code
    assert world.monitors.calls == []
