# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage server dies under load: its domain alone is hurt, for as long as it is dead.

One domain is on NFS, whose packets vanish for a while, and the host has an id there, by sanlock;
the other is a directory of the host. No lease is held on the dying domain: a host that loses one is
looked at in test_sanlock.py.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from machines import Machine, Report
from storage.engine import LOCALFS, NFS, Call
from storage.engine import Engine as StorageEngine
from storage.engine import Refused as CallRefused
from vm.engine import Engine, Lost, Refused, Session
from vm.leases import CLIENT, IO_TIMEOUT, exported, host_ids

SERVER = "127.0.0.9"
"""An address of its own: other tests reach the same server by another one."""
DYING = "/srv/dying"
DIRECTORY = "/srv/well"
HOST_ID = 1
LIMIT_S = 60.0
"""What one operation on a domain may take."""
GRACE_S = 30.0
"""A machine that is shared, with a processor that is emulated."""
LOAD = 6
"""Calls on the dead domain at a time; as many as a domain has worker processes."""


def through(engine: Engine) -> Call:
    def call(verb: str, params: dict[str, Any]) -> Any:
        answer = engine.call(verb, **params)
        if isinstance(answer, Refused):
            raise CallRefused(verb, answer.code, answer.message)
        assert not isinstance(answer, Lost), answer
        return answer

    return call


@dataclass
class World:
    vm: Machine
    engine: Engine
    dying: StorageEngine
    well: StorageEngine
    sessions: list[Session] = field(default_factory=list)

    def server(self, *, alive: bool) -> None:
        """Lets NFS through, or makes its packets vanish, as when its power is cut."""
        self.vm.sh("nft delete table inet dying 2>/dev/null || true")
        if not alive:
            self.vm.sh(
                "nft add table inet dying;"
                "nft add chain inet dying in '{ type filter hook input priority 0; }';"
                f"nft add rule inet dying in ip daddr {SERVER} tcp dport 2049 drop"
            )

    def stats(self, domain: StorageEngine, session: Session | None = None) -> tuple[float, Any]:
        """What StorageDomain.getStats takes, in seconds, and its answer."""
        began = time.monotonic()
        answer = (session or self.engine).call(
            "StorageDomain.getStats", timeout=300, storagedomainID=domain.domain
        )
        return time.monotonic() - began, answer

    def vitals(self) -> tuple[bool, bool]:
        """Whether the domains are valid, by the monitors: the dying one, the well one."""
        found = self.engine.call("Host.getStorageRepoStats")
        first, second = (found[each.domain] for each in (self.dying, self.well))
        assert first["code"] == 0 or not first["valid"]
        return (
            first["actual"] and first["valid"],
            second["actual"] and second["valid"],
        )

    def has_host_id(self) -> bool:
        """Whether the host has its id in the dying domain: the monitor and sanlock agree."""
        acquired = self.engine.call("Host.getStorageRepoStats")[self.dying.domain]["acquired"]
        return bool(acquired) and host_ids(self.vm) == {self.dying.domain: HOST_ID}

    def wait_for_host_id(self, wanted: bool, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self.has_host_id() is not wanted:
            assert time.monotonic() < deadline, self.vm.sh(f"{CLIENT} status")
            time.sleep(1)

    def wait_for_vitals(self, wanted: tuple[bool, bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self.vitals() != wanted:
            assert time.monotonic() < deadline, self.engine.call("Host.getStorageRepoStats")
            time.sleep(1)


@pytest.fixture(scope="module")
def world(leased: Machine, engine: Engine) -> Iterator[World]:
    """Both domains, watched."""
    engine.reconnect()  # vdsm may have been restarted for the leases
    leased.sh(f"mkdir -p {DIRECTORY}; chown 36:36 {DIRECTORY}")
    call = through(engine)
    # Version 3: a connection of its own, and a server that never waits for lost clients.
    connection = {"connection": f"{SERVER}:{DYING}", "protocol_version": "3"}
    dying = StorageEngine(call, NFS, connection)
    well = StorageEngine(call, LOCALFS, {"connection": DIRECTORY})
    sessions = [engine.session() for _ in range(LOAD)]
    world = World(leased, engine, dying, well, sessions)
    with exported(leased, DYING):
        try:
            for each in (dying, well):
                each.connect_server()
                each.create_domain()
                watched = {"sdUUID": each.domain, "hostID": HOST_ID}
                call("Host.startMonitoringDomain", watched)
            yield world
        finally:
            world.server(alive=True)
            for session in sessions:
                session.close()
            for each in (dying, well):
                engine.call("Host.stopMonitoringDomain", timeout=300, sdUUID=each.domain)
                each.disconnect_server()
            leased.sh(f"rm -rf {DIRECTORY}")


def test_a_dead_server_hurts_its_own_domain_alone(world: World, report: Report) -> None:
    vdsm = world.vm.pid("vdsm")
    world.wait_for_vitals((True, True), GRACE_S + 30)
    world.wait_for_host_id(True, GRACE_S + 30)
    sanlock = world.vm.pid("vdsm-sanlock")
    for session in world.sessions:
        assert "disktotal" in world.stats(world.dying, session)[1]
    before = [world.stats(world.well)[0] for _ in range(10)]

    world.server(alive=False)
    died = time.monotonic()
    calls = [
        session.start("StorageDomain.getStats", timeout=300, storagedomainID=world.dying.domain)
        for session in world.sessions
    ]
    meanwhile: list[float] = []
    while len(meanwhile) < 10 or not all(call.done() for call in calls):
        took, answer = world.stats(world.well)
        assert "disktotal" in answer, answer
        meanwhile.append(took)
        assert time.monotonic() - died < LIMIT_S + GRACE_S, "calls on the dead domain hang"
        time.sleep(0.5)
    ended = time.monotonic() - died
    answers = [call.result() for call in calls]
    assert all(isinstance(answer, Refused) and answer.code > 0 for answer in answers), answers
    world.wait_for_vitals((False, True), GRACE_S)
    # Nobody has a lease that hangs on it, so nobody is killed.
    world.wait_for_host_id(False, 8 * IO_TIMEOUT + GRACE_S)
    assert world.vm.pid("vdsm") == vdsm

    ratio = statistics.median(meanwhile) / statistics.median(before)
    report(
        f"{LOAD} calls on the dead domain ended within {ended:.0f} s, "
        f"by {sorted({answer.code for answer in answers})}; "
        f"calls on the other took {statistics.median(before) * 1000:.0f} ms before, "
        f"{statistics.median(meanwhile) * 1000:.0f} ms meanwhile "
        f"(at most {max(meanwhile) * 1000:.0f} ms), ratio {ratio:.2f}"
    )
    assert ratio < 3
    assert max(meanwhile) < LIMIT_S / 4

    world.server(alive=True)
    back = time.monotonic()
    world.wait_for_vitals((True, True), 2 * LIMIT_S + GRACE_S)
    report(f"the domain was well {time.monotonic() - back:.0f} s after its server came back")
    assert "disktotal" in world.stats(world.dying)[1]
    world.wait_for_host_id(True, 2 * LIMIT_S + GRACE_S)
    report(f"the host had its id {time.monotonic() - back:.0f} s after its server came back")
    assert world.vm.pid("vdsm") == vdsm
    assert world.vm.pid("vdsm-sanlock") == sanlock
    left = "ps -eo stat,comm | awk '$2 == \"vdsm-files\" && $1 ~ /^[DZ]/'"
    world.vm.wait(f'[ -z "$({left})" ]', timeout=60)


def test_a_dead_mount_is_disconnected_all_the_same(world: World, report: Report) -> None:
    world.server(alive=False)
    assert world.engine.call(
        "Host.stopMonitoringDomain", timeout=300, sdUUID=world.dying.domain
    ) in (
        True,
        None,
    )
    began = time.monotonic()
    world.dying.disconnect_server()
    report(f"a dead mount was disconnected within {time.monotonic() - began:.1f} s")
    assert world.vm.sh("grep -c srv/dying /proc/self/mountinfo || true") == "0"
    world.server(alive=True)
    world.dying.connect_server()
    assert "disktotal" in world.stats(world.dying)[1]
