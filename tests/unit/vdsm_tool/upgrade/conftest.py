# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with the pair OLD that serves, and the images of NEW."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.vdsm_tool.upgrade.swapping import NEW, NEWER, OLD, FakeHost, Killed
from vdsm_tool.host import Host
from vdsm_tool.state import containers
from vdsm_tool.upgrade import images, journal, selftest, snapshot, tasks
from vdsm_tool.upgrade.model import Pair, Step, Tell
from vdsm_tool.upgrade.snapshot import Snapshot

KillAfter = Callable[[Step | None], None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost(tmp_path)
    for one in (OLD, NEW, NEWER):
        fake.images |= {one.vdsm, one.supervdsm}

    def take(_host: Host) -> Snapshot:
        return Snapshot(mounts=["mount a on /b"], networks=[])

    def check(
        pair: Pair, before: Snapshot | None, _host: Host, _tell: Tell, _patience: float
    ) -> list[str]:
        fake.tested.append(pair)
        fake.before = before
        return fake.problems.get(pair.version, [])

    def tag(_pair: Pair) -> None:
        pass

    monkeypatch.setattr(containers, "read_containers", fake.containers)
    monkeypatch.setattr(images, "exists", fake.images.__contains__)
    monkeypatch.setattr(images, "tag", tag)
    monkeypatch.setattr(snapshot, "take", take)
    monkeypatch.setattr(selftest, "check", check)
    monkeypatch.setattr(tasks, "read", fake.read_tasks)
    (tmp_path / "run/vdsm").mkdir(parents=True)
    fake.serve(OLD)
    return fake


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> KillAfter:
    """A function: from now on the process is killed after that step; None: no more."""
    passed = journal.passed

    def kill_after(fatal: Step | None) -> None:
        def step_or_die(step: Step, tell: Tell) -> None:
            passed(step, tell)
            if step is fatal:
                raise Killed

        monkeypatch.setattr(journal, "passed", step_or_die)

    return kill_after


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock run while somebody sleeps."""
    now = [time.monotonic()]

    def sleep(seconds: float) -> None:
        now[0] += max(seconds, 1.0)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
