# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks of a host that are made, copied and deleted all the time, on local storage: for tests that
end vdsm meanwhile, and look at what is left. The calls are STOMP over TLS."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from machines import Machine
from storage import consistency
from storage.client import Lost, session
from storage.engine import COW, LOCALFS, RAW, SPARSE, Engine, Refused, new_id

DIRECTORY = "/srv/killed"
MOUNT = "/rhev/data-center/mnt/_srv_killed"
SIZE = 32 << 20
IN_FLIGHT = 8
LEAF = 8
ENDED = {"success", "cleanSuccess"}
"""The results that a task may have: done, or undone."""


@contextmanager
def spm_of(host: Machine) -> Iterator[Engine]:
    """An engine whose host is SPM of a pool with one local domain."""
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
