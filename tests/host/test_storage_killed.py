# SPDX-License-Identifier: GPL-2.0-or-later
"""The pair killed at any time while disks are made, copied and deleted on local storage.

After the restart, and what an engine does then, each task has ended or was undone, each file
belongs to a volume, and no volume is lost. The calls are STOMP over TLS.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.disks_at_work import ENDED, Disk, Load, checked, settle, spm_of
from machines import Machine
from storage.engine import Engine

ROUNDS = int(os.environ.get("VDSM_STORAGE_ROUNDS", "3"))


@pytest.fixture
def engine(host: Machine) -> Iterator[Engine]:
    with spm_of(host) as engine:
        yield engine


def test_vdsm_killed_at_any_time_loses_no_volume_and_leaves_no_file(
    host: Machine, engine: Engine, tmp_path: Path
) -> None:
    disk = Disk(host, engine)
    before = checked(host, engine, tmp_path / "before")
    assert before.problems == []
    seen: list[str] = []
    for number in range(ROUNDS):
        load = Load(host, disk)
        with load.running():
            time.sleep(random.uniform(0.0, 1.5))  # the moment is what is tried
            assert load.error is None
            old = host.kill("vdsm")
        host.wait_for_restart("vdsm", old)
        engine.resume()
        tasks = settle(engine)
        seen += [task["taskResult"] for task in tasks.values()]
        assert set(seen) <= ENDED, tasks
        after = checked(host, engine, tmp_path / str(number))
        assert after.problems == []
        assert before.volumes.items() <= after.volumes.items()
    assert "cleanSuccess" in seen  # some were killed in the middle
    engine.finish()


def test_vdsm_stopped_under_load_ends_its_tasks_in_time(
    host: Machine, engine: Engine, tmp_path: Path
) -> None:
    load = Load(host, Disk(host, engine))
    with load.running():
        host.run("systemctl", "restart", "vdsm.service")
    assert host.show("vdsm.service", "Result") == "success"
    engine.resume()
    tasks = settle(engine)
    assert {task["taskResult"] for task in tasks.values()} <= ENDED, tasks
    assert checked(host, engine, tmp_path / "after").problems == []
    engine.finish()


def test_supervdsm_killed_while_tasks_run_is_not_noticed_by_them(
    host: Machine, engine: Engine, tmp_path: Path
) -> None:
    disk = Disk(host, engine)
    before = checked(host, engine, tmp_path / "before")
    load = Load(host, disk)
    with load.running():
        for _ in range(2):
            time.sleep(random.uniform(0.0, 0.5))  # the moment is what is tried
            host.wait_for_restart("supervdsm", host.kill("supervdsm"))
    assert load.error is None
    tasks = settle(engine)
    assert {task["taskResult"] for task in tasks.values()} <= ENDED, tasks
    after = checked(host, engine, tmp_path / "after")
    assert after.problems == []
    assert before.volumes.items() <= after.volumes.items()
    engine.finish()
