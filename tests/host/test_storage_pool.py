# SPDX-License-Identifier: GPL-2.0-or-later
"""A pool of two local domains on a real host: the master moves, vdsm is killed, and goes on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from machines import Machine
from storage.client import refused, session
from storage.engine import BLANK, LEASES, LOCALFS, Engine, new_id

FIRST, SECOND = "/srv/pool-first", "/srv/pool-second"


@pytest.fixture
def engine(host: Machine) -> Iterator[Engine]:
    """An engine that has made the host SPM of a pool with one local domain."""
    for directory in (FIRST, SECOND):
        host.sh(f"mkdir -p {directory}; chown 36:36 {directory}")
    try:
        with session(host) as call:
            engine = Engine(call, LOCALFS, {"connection": FIRST})
            engine.begin()
            yield engine
    finally:
        host.run("systemctl", "restart", "vdsm.service")
        host.sh(
            f"umount -l /rhev/data-center/mnt/_srv_pool-* 2>/dev/null; rm -rf {FIRST} {SECOND}",
            check=False,
        )


def of_pool(engine: Engine, verb: str, **params: Any) -> Any:
    return engine.call(verb, {"storagepoolID": engine.pool, **params})


def of_domain(engine: Engine, verb: str, domain: str, **params: Any) -> Any:
    return of_pool(engine, verb, storagedomainID=domain, **params)


def test_a_master_moves_and_its_pool_outlives_a_kill(host: Machine, engine: Engine) -> None:
    first = engine.domain
    second = replace(engine, connection={"connection": SECOND}, domain=new_id())
    second.connect_server()
    second.create_domain(version=4)
    with refused(375):
        of_domain(engine, "StorageDomain.activate", second.domain)
    of_domain(engine, "StorageDomain.attach", second.domain)
    of_domain(engine, "StorageDomain.activate", second.domain)
    machine = new_id()
    of_pool(engine, "StoragePool.updateVMs", vmList=[{"vm": machine, "ovf": "<x/>", "imglist": ""}])
    info = of_pool(engine, "StoragePool.getInfo")
    assert {uuid: one["status"] for uuid, one in info["dominfo"].items()} == {
        first: "Active",
        second.domain: "Active",
    }
    assert info["dominfo"][second.domain]["version"] == 5

    with refused(324):
        of_pool(engine, "StoragePool.switchMaster", oldMasterUUID=second.domain,
                newMasterUUID=first, masterVersion=2)  # fmt: skip
    engine.end(
        of_pool(engine, "StoragePool.switchMaster", oldMasterUUID=first,
                newMasterUUID=second.domain, masterVersion=2)
    )  # fmt: skip
    links = f"/rhev/data-center/{engine.pool}"
    assert host.sh(f"readlink {links}/mastersd").endswith(f"/{second.domain}")
    assert host.sh(f"cat {links}/mastersd/master/vms/{machine}/{machine}.ovf") == "<x/>"
    with refused(656):
        of_pool(engine, "StoragePool.disconnect", hostID=1, scsiKey=engine.pool)

    host.wait_for_restart("vdsm", host.kill("vdsm"))
    assert engine.call("Host.getConnectedStoragePools", {}) == []
    with refused(309):
        engine.spm_status()
    connect = {
        "hostID": 1,
        "scsiKey": engine.pool,
        "masterSdUUID": second.domain,
        "masterVersion": 2,
        "domainDict": {first: "active", second.domain: "active"},
    }
    with refused(324):
        of_pool(engine, "StoragePool.connect", **{**connect, "masterSdUUID": first})
    with refused(1000):
        of_pool(engine, "StoragePool.connect", **{**connect, "hostID": 2001})
    of_pool(engine, "StoragePool.connect", **connect)
    engine.spm_start()
    assert engine.spm_status()["spmStatus"] == "SPM"
    blank = {"masterSdUUID": BLANK, "masterVersion": 0}
    of_domain(engine, "StorageDomain.deactivate", first, **blank)
    of_domain(engine, "StorageDomain.detach", first)
    assert host.sh(f"ls {links}").split() == sorted([second.domain, "mastersd"])
    with refused(380):
        of_pool(engine, "StoragePool.create", storagepoolID=new_id(), name="other",
                masterSdUUID=second.domain, masterVersion=1, domainList=[second.domain],
                **LEASES)  # fmt: skip
    of_pool(engine, "StoragePool.destroy", hostID=1, scsiKey=engine.pool)
    assert host.sh(f"ls -d {links} 2>/dev/null || true") == ""
    for one in (engine, second):
        one.call("StorageDomain.format", {"storagedomainID": one.domain, "autoDetach": False})
        one.disconnect_server()
