# SPDX-License-Identifier: GPL-2.0-or-later
"""StoragePool.* of a pool: as an engine calls them, and as nobody should."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from unit.vdsm.storage.pool.world import POOL, World
from vdsm.host.tree import HostTree
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.storage.model import BLANK_UUID
from vdsm.verbs.storage_pool import StoragePool

MACHINE = "5a0b1c2d-0000-4000-8000-0000000000aa"
LEASES: dict[str, JSON] = {
    "lockRenewalIntervalSec": 5,
    "leaseTimeSec": 60,
    "ioOpTimeoutSec": 10,
    "leaseRetries": 3,
}


class Engine:
    """Calls the verbs of one host with what the schema makes of the parameters."""

    def __init__(self, root: Path) -> None:
        self.world = World(root)
        storage = SimpleNamespace(
            pools=self.world.pools, filesystems=SimpleNamespace(drop=lambda _root: None)
        )
        services = SimpleNamespace(
            storage=storage,
            supervdsm=SimpleNamespace(storage=None),
            tree=HostTree(root),
            config=SimpleNamespace(nfs_mount_options=()),
        )
        verbs = StoragePool(cast("Services", services))
        self.table = verbs.table() | verbs.local_table()
        self.master = self.world.make_domain()

    def call(self, verb: str, **params: JSON) -> Any:
        method = verb if "." in verb else f"StoragePool.{verb}"
        if method.startswith("StoragePool."):
            params = {"storagepoolID": POOL, **params}
        call = Call(method, "f-1", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        return self.table[method](call, schema.load().check(method, params))

    def refused(self, verb: str, **params: JSON) -> tuple[int, str]:
        with pytest.raises(VdsmError) as caught:
            self.call(verb, **params)
        return caught.value.code, caught.value.message

    def create(self, **changes: JSON) -> dict[str, JSON]:
        named: dict[str, JSON] = {
            "name": "default",
            "masterSdUUID": self.master,
            "masterVersion": 1,
            "domainList": [self.master],
        }
        return {**named, **LEASES, **changes}

    def connect(self, **changes: JSON) -> dict[str, JSON]:
        return {
            "hostID": 1,
            "scsiKey": POOL,
            "masterSdUUID": self.master,
            "masterVersion": 1,
            "domainDict": {self.master: "active"},
            **changes,
        }

    def start(self, **changes: JSON) -> int:
        """Starts the SPM; the code that the task ends with."""
        params: dict[str, JSON] = {"prevID": -1, "prevLver": "-1", "enableScsiFencing": "false"}
        params |= {"maxHostID": 8, "domVersion": "5", **changes}
        return self.world.end(str(self.call("spmStart", **params)))[0]

    def begin(self) -> None:
        self.call("create", **self.create())
        self.call("connect", **self.connect())
        assert self.start() == 0


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def test_a_pool_is_made_connected_managed_and_destroyed(engine: Engine) -> None:
    assert engine.call("Host.getConnectedStoragePools") == []
    engine.begin()
    assert engine.call("Host.getConnectedStoragePools") == [POOL]
    status = engine.call("getSpmStatus")
    assert (status["spmStatus"], status["spmId"]) == ("SPM", 1)
    assert engine.call("getInfo")["info"]["pool_status"] == "connected"
    assert engine.call("upgrade", targetDomVersion=5) == "started"
    assert engine.call("getDomainsContainingImage", imageID=MACHINE) == []
    engine.call("updateVMs", vmList=[{"vm": MACHINE, "ovf": "<ä/>", "imglist": ""}])
    assert engine.call("getBackedUpVmsList", storagedomainID=BLANK_UUID) == [MACHINE]
    found = engine.call("getBackedUpVmsInfo", storagedomainID=engine.master, vmList=[])
    assert found == {MACHINE: "<ä/>"}
    engine.call("removeVM", vmUUID=MACHINE)
    assert engine.call("getBackedUpVmsList", storagedomainID=engine.master) == []
    engine.call("setDescription", description="other")
    engine.call("refresh", masterSdUUID=engine.master, masterVersion=1)
    engine.call("spmStop")
    assert engine.call("getSpmStatus")["spmStatus"] == "Free"
    engine.call("disconnect", hostID=1, scsiKey=POOL)
    engine.call("connect", **engine.connect())
    assert engine.start() == 0
    engine.call("destroy", hostID=1, scsiKey=POOL)
    assert engine.call("Host.getConnectedStoragePools") == []
    engine.call(
        "reconstructMaster",
        **engine.create(hostId=1, masterVersion=2, domainDict={engine.master: "active"}),
    )
    engine.call("connect", **engine.connect(masterVersion=2))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"storagepoolID": "../../etc"}, 1000),
        ({"storagepoolID": BLANK_UUID}, 1000),
        ({"masterSdUUID": "x"}, 1000),
        ({"masterSdUUID": MACHINE}, 1000),
        ({"domainList": ["x"]}, 1000),
        ({"name": "x" * 51}, 327),
        ({"name": "a\nPOOL_SPM_ID=3"}, 1000),
        ({"masterVersion": -1}, 1000),
        ({"leaseRetries": 0}, 1000),
        ({"masterSdUUID": MACHINE, "domainList": [MACHINE]}, 379),
    ],
)
def test_no_pool_is_made_of_wrong_parameters(
    engine: Engine, changes: dict[str, JSON], code: int
) -> None:
    before = engine.world.bytes_of(engine.master)
    assert engine.refused("create", **engine.create(**changes))[0] == code
    assert engine.world.bytes_of(engine.master) == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hostID": 0}, 1000),
        ({"hostID": 2001}, 1000),
        ({"storagepoolID": BLANK_UUID}, 1000),
        ({"masterSdUUID": MACHINE, "domainDict": {MACHINE: "active"}}, 304),
        ({"masterVersion": 2, "domainDict": None}, 324),
        ({"domainDict": {"x": "active"}}, 1000),
        ({"domainDict": {}}, 324),
    ],
)
def test_no_pool_is_connected_by_wrong_parameters(
    engine: Engine, changes: dict[str, JSON], code: int
) -> None:
    engine.call("create", **engine.create())
    params = {key: one for key, one in engine.connect(**changes).items() if one is not None}
    assert engine.refused("connect", **params)[0] == code
    assert engine.call("Host.getConnectedStoragePools") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"prevLver": "newest"}, 1000),
        ({"prevID": 2001}, 1000),
        ({"maxHostID": 0}, 1000),
        ({"domVersion": "2"}, 394),
        ({"domVersion": "6"}, 394),
        ({"domVersion": "five"}, 1000),
    ],
)
def test_no_spm_is_started_by_wrong_parameters(
    engine: Engine, changes: dict[str, JSON], code: int
) -> None:
    engine.call("create", **engine.create())
    engine.call("connect", **engine.connect())
    with pytest.raises(VdsmError) as caught:
        engine.start(**changes)
    assert caught.value.code == code
    assert engine.call("getSpmStatus")["spmStatus"] == "Free"


@pytest.mark.parametrize(
    ("verb", "params"),
    [
        ("getInfo", {}),
        ("getSpmStatus", {}),
        ("spmStop", {}),
        ("upgrade", {"targetDomVersion": 5}),
        ("refresh", {"masterSdUUID": MACHINE, "masterVersion": 1}),
        ("destroy", {"hostID": 1, "scsiKey": ""}),
        ("removeVM", {"vmUUID": MACHINE}),
        ("getBackedUpVmsList", {"storagedomainID": BLANK_UUID}),
    ],
)
def test_a_pool_that_is_not_connected_is_unknown(
    engine: Engine, verb: str, params: dict[str, JSON]
) -> None:
    code, message = engine.refused(verb, **params)
    assert (code, POOL in message) == (309, True)


def test_a_machine_is_no_path(engine: Engine) -> None:
    engine.begin()
    machine: JSON = {"vm": "../../../dom_md", "ovf": "", "imglist": ""}
    assert engine.refused("updateVMs", vmList=[machine])[0] == 1000
    assert engine.refused("removeVM", vmUUID="..")[0] == 1000
    assert engine.refused("getBackedUpVmsInfo", storagedomainID=BLANK_UUID, vmList=["."])[0] == 1000
    assert engine.refused("removeVM", vmUUID=MACHINE, storagedomainID=MACHINE)[0] == 375
