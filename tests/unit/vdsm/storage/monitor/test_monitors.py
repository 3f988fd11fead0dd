# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors: what the engine reads of a domain that is well, broken, hanging, and gone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from storage.local_files import LocalFiles
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files
from vdsm.storage.layout import METADATA
from vdsm.storage.model import DomainClass, DomainMetadata, Role
from vdsm.storage.monitor.monitors import DomainMonitors
from vdsm.storage.protocols import Domain, Domains

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"
DEADLINE_S = 30.0
INTERVAL_S = 0.02


class FakeLock:
    def __init__(self) -> None:
        self.held: set[int] = set()
        self.calls: list[tuple[str, int]] = []
        self.refusal: errors.StorageError | None = None

    def has_host_id(self, host_id: int) -> bool:
        return host_id in self.held

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None:
        assert not wait
        self.calls.append(("acquire", host_id))
        if self.refusal:
            raise self.refusal
        self.held.add(host_id)

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None:
        self.calls.append(("release", host_id))
        self.held.discard(host_id)


class FakeDomain:
    """A domain in a directory; `fail` is what reading its metadata raises."""

    version = 5

    def __init__(self, uuid: str, path: Path) -> None:
        self.uuid = uuid
        self.path = path
        self.files: Files = LocalFiles(path)
        self.files.mkdir("dom_md")
        self.files.write(METADATA, b"VERSION=5\n")
        self.lock = FakeLock()
        self.domain_class = DomainClass.DATA
        self.fail: Exception | None = None

    def metadata(self) -> DomainMetadata:
        if self.fail:
            raise self.fail
        return DomainMetadata(
            self.uuid, 5, DomainType.NFS, Role.REGULAR, self.domain_class, "", "server:/export"
        )


class World:
    """Domains, and monitors over them; `looks` counts how often each was looked for."""

    def __init__(self, root: Path) -> None:
        self.domains: dict[str, FakeDomain] = {}
        for uuid in (ONE, TWO):
            (root / uuid).mkdir()
            self.domains[uuid] = FakeDomain(uuid, root / uuid)
        self.looks = dict.fromkeys(self.domains, 0)
        self.hang: dict[str, threading.Event] = {}
        self.monitors = DomainMonitors(cast(Domains, self), INTERVAL_S)

    def find(self, uuid: str) -> Domain:
        self.looks[uuid] = self.looks.get(uuid, 0) + 1
        if uuid in self.hang:
            self.hang[uuid].wait()
            raise errors.StorageDomainAccessError(uuid)
        if uuid not in self.domains:
            raise errors.StorageDomainDoesNotExist(uuid)
        return cast(Domain, self.domains[uuid])

    def vitals(self, uuid: str) -> dict[str, JSON]:
        found = self.monitors.stats()[uuid]
        assert isinstance(found, dict)
        return found

    def code(self, uuid: str) -> JSON:
        return self.vitals(uuid)["code"]

    def look_again(self, uuid: str) -> None:
        """Waits for a look that begins and ends after now."""
        seen = self.looks[uuid]
        wait_until(lambda: self.looks[uuid] >= seen + 3)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    for event in world.hang.values():
        event.set()
    world.monitors.close()


def test_a_domain_that_is_well_has_vitals_and_the_host_id(world: World) -> None:
    world.monitors.start(ONE, 7, pool=True)
    wait_until(lambda: world.monitors.is_valid(ONE))
    vitals = world.vitals(ONE)
    assert vitals.keys() == {
        "code", "valid", "delay", "lastCheck", "version", "acquired", "actual"
    }  # fmt: skip
    assert [vitals[key] for key in ("code", "valid", "version", "acquired", "actual")] == [
        0, True, 5, True, True
    ]  # fmt: skip
    assert 0 < float(str(vitals["delay"])) < DEADLINE_S
    assert 0 <= float(str(vitals["lastCheck"])) < DEADLINE_S
    assert world.domains[ONE].lock.calls == [("acquire", 7)]


def test_before_the_first_look_nothing_is_actual(world: World) -> None:
    world.hang[ONE] = threading.Event()
    world.monitors._interval_s = 1000.0
    world.monitors.start(ONE, 1, pool=True)
    vitals = world.vitals(ONE)
    assert (vitals["actual"], vitals["valid"], vitals["code"]) == (False, True, 0)
    assert not world.monitors.is_valid(ONE)


def test_a_change_is_logged_once_with_the_domain(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: world.monitors.is_valid(ONE))
    world.domains[ONE].files.unlink(METADATA)
    wait_until(lambda: world.code(ONE) == errors.FileReadError.number)
    world.look_again(ONE)
    world.domains[ONE].files.write(METADATA, b"VERSION=5\n")
    wait_until(lambda: world.monitors.is_valid(ONE))
    world.look_again(ONE)
    became = [record.getMessage() for record in caplog.records if "became" in record.getMessage()]
    assert [line.split(" became ")[1].split(":")[0] for line in became] == [
        "VALID", "INVALID", "VALID"
    ]  # fmt: skip
    assert all(ONE in line for line in became)


def test_broken_metadata_has_its_own_code_and_is_read_until_it_is_well(world: World) -> None:
    world.domains[ONE].fail = errors.MetadataSealIsBroken("dom_md/metadata")
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: world.code(ONE) == 752)
    assert world.domains[ONE].lock.calls == []  # no host id in what cannot be trusted
    world.domains[ONE].fail = None
    wait_until(lambda: world.monitors.is_valid(ONE))


def test_a_domain_that_hangs_is_invalid_and_disturbs_no_other(world: World) -> None:
    world.monitors.start(ONE, 1, pool=True)
    world.monitors.start(TWO, 1, pool=True)
    wait_until(lambda: world.monitors.is_valid(ONE) and world.monitors.is_valid(TWO))
    world.hang[ONE] = threading.Event()
    wait_until(lambda: world.code(ONE) == errors.StorageDomainAccessError.number)
    world.look_again(TWO)
    assert world.monitors.is_valid(TWO)
    world.hang.pop(ONE).set()
    wait_until(lambda: world.monitors.is_valid(ONE))


def test_an_unexpected_failure_is_a_status_and_not_the_end_of_the_watch(world: World) -> None:
    world.domains[ONE].fail = RuntimeError("surprise")
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: world.code(ONE) == errors.StorageDomainCheckError.number)
    world.domains[ONE].fail = None
    wait_until(lambda: world.monitors.is_valid(ONE))


def test_a_domain_that_is_not_there_is_looked_for_until_it_is(world: World) -> None:
    domain = world.domains.pop(ONE)
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: world.code(ONE) == 358)
    world.domains[ONE] = domain
    wait_until(lambda: world.monitors.is_valid(ONE))


def test_a_host_id_that_is_refused_is_asked_for_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    lock = world.domains[ONE].lock
    lock.refusal = errors.AcquireHostIdFailure("another host has id 1")
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: len(lock.calls) > 3)
    assert world.vitals(ONE)["acquired"] is False
    assert world.monitors.is_valid(ONE)
    assert len([r for r in caplog.records if "another host has id 1" in r.getMessage()]) == 1
    lock.refusal = None
    wait_until(lambda: world.vitals(ONE)["acquired"] is True)


def test_an_iso_domain_has_no_host_id(world: World) -> None:
    world.domains[ONE].domain_class = DomainClass.ISO
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: world.monitors.is_valid(ONE))
    world.look_again(ONE)
    world.monitors.stop([ONE])
    assert world.domains[ONE].lock.calls == []


def test_stopping_releases_the_host_id_and_forgets_the_domain(world: World) -> None:
    world.monitors.start(ONE, 1, pool=True)
    world.monitors.start(TWO, 1, pool=True)
    wait_until(lambda: world.vitals(ONE)["acquired"] is True)
    world.monitors.stop([ONE, TWO, ONE, "unknown"])
    assert world.monitors.watched() == []
    assert world.domains[ONE].lock.calls == [("acquire", 1), ("release", 1)]
    world.monitors.start(ONE, 2, pool=True)
    wait_until(lambda: world.domains[ONE].lock.held == {2})


def test_ending_vdsm_keeps_the_host_ids(world: World) -> None:
    world.monitors.start(ONE, 1, pool=True)
    wait_until(lambda: world.vitals(ONE)["acquired"] is True)
    world.monitors.close()
    wait_until(lambda: not any(t.name == f"monitor/{ONE[:8]}" for t in threading.enumerate()))
    assert world.domains[ONE].lock.held == {1}


def test_one_that_is_watched_already_may_become_the_pools(world: World) -> None:
    world.monitors.start(ONE, 1, pool=False)
    assert not world.monitors.is_of_pool(ONE)
    world.monitors.start(ONE, 1, pool=True)
    world.monitors.start(ONE, 1, pool=False)
    assert world.monitors.is_of_pool(ONE)
    assert world.monitors.watched() == [ONE]
