# SPDX-License-Identifier: GPL-2.0-or-later
"""External leases with the real sanlock: made, told of, taken, fenced and removed. What a lease is
for is in a block that sanlock writes; the tests of this file follow one another."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from machines import Machine
from storage.client import refused, session
from storage.engine import NFS, Engine, new_id
from vm.leases import CLIENT, exported

EXPORT = "/srv/external"
SERVER = "127.0.0.7"
"""An address of its own: other tests reach the same server by another one."""
FIRST, SECOND = new_id(), new_id()
JOB: dict[str, Any] = {
    "type": "JOB",
    "job_id": new_id(),
    "job_status": "PENDING",
    "generation": 0,
    "created": 1_700_000_000,
}


@pytest.fixture(scope="module")
def engine(leased: Machine) -> Iterator[Engine]:
    """An engine whose host is SPM of a pool with one domain on NFS."""
    connection = {"connection": f"{SERVER}:{EXPORT}", "protocol_version": "4.1"}
    with exported(leased, EXPORT), session(leased) as call:
        engine = Engine(call, NFS, connection, patience_s=300)
        engine.begin()
        yield engine
        engine.finish()


def of_lease(engine: Engine, verb: str, lease: str, **more: Any) -> Any:
    """A call about one lease."""
    return engine.call(
        f"Lease.{verb}", {"lease": {"sd_id": engine.domain, "lease_id": lease}} | more
    )


@contextmanager
def taken(host: Machine, info: dict[str, Any]) -> Iterator[None]:
    """Within the block some process of the host holds the lease, as QEMU does for a VM."""
    path = info["path"].replace(":", r"\:")  # as sanlock reads it
    resource = f"{info['sd_id']}:{info['lease_id']}:{path}:{info['offset']}"
    holder = host.start(
        "podman", "exec", "--interactive", "--user=sanlock", "vdsm-sanlock",
        "sanlock", "client", "command", "-r", resource, "-c", "/bin/cat",
    )  # fmt: skip
    assert holder.stdin is not None
    try:
        host.wait(f"{CLIENT} status | grep -q 'r {info['sd_id']}:{info['lease_id']}:'", timeout=120)
        yield
    finally:
        holder.stdin.close()
        holder.wait(60)
        host.wait(f"! {CLIENT} status | grep -q '{info['lease_id']}'", timeout=120)


def test_a_lease_tells_the_job_that_it_was_made_for(engine: Engine) -> None:
    engine.end(of_lease(engine, "create", FIRST, metadata=JOB))
    status = of_lease(engine, "status", FIRST)
    assert (status["owners"], status["metadata"]) == ([], JOB)
    assert status["version"] == 1
    assert of_lease(engine, "info", FIRST)["offset"] == 3 << 20


def test_a_lease_without_a_job_tells_none(engine: Engine) -> None:
    engine.end(of_lease(engine, "create", SECOND))
    assert of_lease(engine, "status", SECOND) == {"owners": [], "version": 0}


def test_a_job_whose_lease_is_held_is_not_fenced(leased: Machine, engine: Engine) -> None:
    with taken(leased, of_lease(engine, "info", FIRST)):
        status = of_lease(engine, "status", FIRST)
        assert (status["owners"], status["metadata"]) == ([1], JOB)
        with refused(651):
            of_lease(engine, "fence", FIRST, metadata=JOB)
    assert of_lease(engine, "status", FIRST)["metadata"] == JOB


def test_a_pending_job_is_fenced_once(engine: Engine) -> None:
    for other in ({"generation": 5}, {"job_id": new_id()}):
        with refused(911):
            of_lease(engine, "fence", FIRST, metadata=JOB | other)
    of_lease(engine, "fence", FIRST, metadata=JOB)
    status = of_lease(engine, "status", FIRST)
    assert status["owners"] == []
    assert status["metadata"].pop("modified") > JOB["created"]
    assert status["metadata"] == JOB | {"job_status": "FENCED", "generation": 1}
    with refused(911):
        of_lease(engine, "fence", FIRST, metadata=JOB)


def test_a_new_lease_at_the_place_of_a_removed_one_tells_nothing_of_it(engine: Engine) -> None:
    place = of_lease(engine, "info", FIRST)["offset"]
    engine.end(of_lease(engine, "delete", FIRST))
    with refused(936):
        of_lease(engine, "fence", FIRST, metadata=JOB)
    third = new_id()
    engine.end(of_lease(engine, "create", third))
    assert of_lease(engine, "info", third)["offset"] == place
    assert "metadata" not in of_lease(engine, "status", third)
