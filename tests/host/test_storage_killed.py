# SPDX-License-Identifier: GPL-2.0-or-later
"""The pair killed at any time while disks are made, copied and deleted on local storage.

After the restart, and what an engine does then, each task has ended or was undone, each file
belongs to a volume, and no volume is lost. The calls are STOMP over TLS.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from machines import Machine
from storage import consistency
from storage.client import Lost, session
from storage.engine import COW, LOCALFS, RAW, SPARSE, Engine, Refused, new_id

DIRECTORY = "/srv/killed"
MOUNT = "/rhev/data-center/mnt/_srv_killed"
SIZE = 32 << 20
ROUNDS = int(os.environ.get("VDSM_STORAGE_ROUNDS", "3"))
IN_FLIGHT = 8
LEAF = 8
ENDED = {"success", "cleanSuccess"}


@pytest.fixture
def engine(host: Machine) -> Iterator[Engine]:
    host.sh(f"mkdir -p {DIRECTORY}; chown 36:36 {DIRECTORY}")
    with session(host) as call:
        engine = Engine(call, LOCALFS, {"connection": DIRECTORY}, poll_s=0.02)
        engine.begin()
        try:
            yield engine
        finally:
            host.sh(f"umount -l {MOUNT} 2>/dev/null || true; rm -rf {DIRECTORY}", check=False)


class Disk:
    """A volume with data that must never change, and one that is based on it."""

    def __init__(self, host: Machine, engine: Engine) -> None:
        self.engine = engine
        self.image, self.base, self.leaf = new_id(), new_id(), new_id()
        engine.create_volume(self.image, self.base, size=SIZE)
        path = f"{MOUNT}/{engine.domain}/images/{self.image}/{self.base}"
        host.sh(f"head -c {SIZE} /dev/urandom | dd of={path} conv=notrunc bs=1M status=none")
        engine.create_volume(
            self.image, self.leaf, size=SIZE, form=COW, parent=(self.image, self.base)
        )

    def copy(self, engine: Engine) -> str:
        """Begins to copy it; the new image."""
        image = new_id()
        engine.task(
            "Volume.copy",
            storagedomainID=engine.domain,
            imageID=self.image,
            volumeID=self.leaf,
            dstSdUUID=engine.domain,
            dstImgUUID=image,
            dstVolUUID=new_id(),
            desc="",
            volType=LEAF,
            volFormat=RAW,
            preallocate=SPARSE,
            postZero=False,
            force=False,
        )
        return image


class Load:
    """Tasks that are started, a few at a time, over a connection of their own, until a call
    fails."""

    def __init__(self, host: Machine, disk: Disk) -> None:
        self._session = session(host)
        self._disk = disk
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._made: list[str] = []
        self.busy = threading.Event()
        self.error: Exception | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block there are tasks."""
        self._thread.start()
        assert self.busy.wait(120)
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        with self._session as call:
            engine = replace(self._disk.engine, call=call)
            try:
                while not self._stop.is_set():
                    self._round(engine)
                    self.busy.set()
            except (Lost, Refused) as error:
                self.error = error

    def _round(self, engine: Engine) -> None:
        """Makes a chain and a copy, and deletes those of the round before."""
        domain = {"storagedomainID": engine.domain}
        image, volume = new_id(), new_id()
        engine.task("Volume.create", **domain, **engine.new_volume(image, volume, SIZE))
        snapshot = engine.new_volume(image, new_id(), SIZE, COW, SPARSE, (image, volume))
        engine.task("Volume.create", **domain, **snapshot)
        made = [image, self._disk.copy(engine)]
        for gone in self._made:
            with _busy():
                engine.task("Image.delete", **domain, imageID=gone, postZero=False, force=False)
        self._made = made
        while not self._stop.is_set() and len(unfinished(engine)) > IN_FLIGHT:
            time.sleep(0.01)


@contextmanager
def _busy() -> Iterator[None]:
    """What is to be deleted may not be made yet, or be in work: that it is refused is right."""
    try:
        yield
    except Refused as refused:
        if refused.code not in (268, 851):
            raise


def unfinished(engine: Engine) -> list[str]:
    tasks = engine.call("Host.getAllTasksStatuses", {})
    return [task for task, status in tasks.items() if status["taskState"] != "finished"]


def settle(engine: Engine) -> dict[str, dict[str, Any]]:
    """Waits for all tasks, clears them, and returns how they ended."""
    deadline = time.monotonic() + 120
    while unfinished(engine):
        assert time.monotonic() < deadline, engine.call("Host.getAllTasksStatuses", {})
        time.sleep(0.05)
    tasks: dict[str, dict[str, Any]] = engine.call("Host.getAllTasksStatuses", {})
    for task in tasks:
        engine.call("Task.clear", {"taskID": task})
    return tasks


def checked(host: Machine, engine: Engine, place: Path) -> consistency.Checked:
    """How the domain is, seen from outside of the machine."""
    place.mkdir()
    host.copy_out(f"{DIRECTORY}/{engine.domain}", place / engine.domain)
    return consistency.check(place / engine.domain, leases=False)


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
