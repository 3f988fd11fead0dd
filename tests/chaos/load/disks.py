# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage domain, and tasks that make, copy and delete volumes in it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chaos.load.client import Book, Client, Gate, Place, Refused, Unknown
from storage.engine import COW, LOCALFS, RAW, SPARSE, Engine
from storage.engine import Refused as TaskFailed

THERE, ABSENT = "there", "absent"
_SIZE: Final = 2 << 20
_IMAGES: Final = 6
_LEAF: Final = 8
_TASK_S: Final = 120.0


def register(volume: str) -> str:
    """`volume` is image/volume."""
    return f"volume {volume}"


@dataclass
class Image:
    """A disk: its volumes, the first is the base."""

    id: str
    volumes: list[str] = field(default_factory=list)

    @property
    def registers(self) -> list[str]:
        return [register(f"{self.id}/{volume}") for volume in self.volumes]


class Disks(Client):
    """The engine of one storage domain, whose host it makes SPM again when need be."""

    def __init__(
        self, name: str, seed: int, place: Place, book: Book, gate: Gate, directory: str
    ) -> None:
        super().__init__(name, seed, place, book, gate)
        self.engine = Engine(self._call, LOCALFS, {"connection": directory}, poll_s=0.02)
        self.images: dict[str, Image] = {}
        self.stale = False
        """Whether vdsm may have forgotten the pool."""

    def _call(self, verb: str, params: dict[str, Any]) -> Any:
        return self.call(verb, params)

    def _id(self) -> str:
        """A UUID that the seed decides."""
        digits = f"{self.choices.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    # --- the load ---------------------------------------------------------------------------------

    def step(self) -> None:
        try:
            if self.stale:
                self.resume()  # a step of its own: the next one may have to wait
            else:
                self._change()
        except (Refused, Unknown, TaskFailed, AssertionError):
            self.stale = True
            self.tidy()

    def _change(self) -> None:
        with self.book.lock:
            doubt = self.book.ledger.in_doubt
            sure = [one for one in self.images.values() if not any(map(doubt, one.registers))]
        lucky = self.choices.random()
        if len(self.images) < 2 or (lucky < 0.45 and len(self.images) < _IMAGES):
            self._create(Image(self._id()), (RAW, None))
        elif not sure:
            self.call("Host.getAllTasksStatuses")
        elif lucky < 0.6 and len(self.images) < _IMAGES:
            self._copy(self.choices.choice(sure))
        elif lucky < 0.75:
            image = self.choices.choice(sure)
            self._create(image, (COW, image.volumes[-1]))
        else:
            self._drop(self.choices.choice(sure))

    def _create(self, image: Image, what: tuple[int, str | None]) -> None:
        form, parent = what
        volume = self._id()
        params = Engine.new_volume(image.id, volume, _SIZE, form, SPARSE)
        if parent is not None:
            params |= {"srcImgUUID": image.id, "srcVolUUID": parent}
        self._made(image, volume)
        self._task("Volume.create", params, [register(f"{image.id}/{volume}")], THERE)

    def _copy(self, source: Image) -> None:
        image, volume = Image(self._id()), self._id()
        params = {
            "imageID": source.id, "volumeID": source.volumes[-1], "desc": "",
            "dstSdUUID": self.engine.domain, "dstImgUUID": image.id, "dstVolUUID": volume,
            "volType": _LEAF, "volFormat": RAW, "preallocate": SPARSE,
            "postZero": False, "force": False,
        }  # fmt: skip
        self._made(image, volume)
        self._task("Volume.copy", params, [register(f"{image.id}/{volume}")], THERE)

    def _drop(self, image: Image) -> None:
        params = {"imageID": image.id, "postZero": False, "force": False}
        self._task("Image.delete", params, image.registers, ABSENT)
        del self.images[image.id]
        with self.book.lock:
            for name in image.registers:
                self.book.ledger.forget(name)

    def _made(self, image: Image, volume: str) -> None:
        self.images[image.id] = image
        image.volumes.append(volume)
        with self.book.lock:
            self.book.ledger.define(register(f"{image.id}/{volume}"), ABSENT)

    def _task(self, verb: str, params: Mapping[str, Any], names: list[str], becomes: str) -> None:
        """Start a task and wait for its end. Raises Refused, Unknown, TaskFailed."""
        ledger, lock = self.book.ledger, self.book.lock
        with lock:
            for name in names:
                ledger.may_become(name, becomes)
        try:
            task = self.engine.task(verb, storagedomainID=self.engine.domain, **params)
        except Refused:
            self._end(names, ABSENT if becomes == THERE else THERE)
            raise
        deadline = time.monotonic() + _TASK_S
        while (status := self.call("Task.getStatus", {"taskID": task}))["taskState"] != "finished":
            if time.monotonic() > deadline:
                raise Unknown(f"{verb}: task {task} does not end: {status}")
            time.sleep(0.02)
        if status["taskResult"] == "success" and not int(status["code"]):
            self._end(names, becomes)
        elif becomes == THERE and status["taskResult"] == "cleanSuccess":
            self._end(names, ABSENT)
        self.call("Task.clear", {"taskID": task})
        if status["taskResult"] != "success":
            raise TaskFailed(verb, int(status["code"]), status["message"])

    def _end(self, names: list[str], value: str) -> None:
        with self.book.lock:
            for name in names:
                self.book.ledger.define(name, value)

    # --- around it --------------------------------------------------------------------------------

    def resume(self) -> None:
        """Make the host SPM again, if it is not. Raises Refused, Unknown."""
        self.engine.connect_server()
        try:
            spm = self.engine.spm_status()["spmStatus"] == "SPM"
        except Refused:
            spm = False
        if not spm:
            self.engine.connect_pool()
            self.engine.spm_start()
        self.stale = False

    def settle(self) -> list[str]:
        """Resume, and wait for all tasks; give those that did not end well. Raises Refused,
        Unknown."""
        self.resume()
        deadline = time.monotonic() + _TASK_S
        while True:
            tasks = self.call("Host.getAllTasksStatuses")
            if all(task["taskState"] == "finished" for task in tasks.values()):
                break
            if time.monotonic() > deadline:
                return [f"task {name} does not end: {task}" for name, task in tasks.items()]
            time.sleep(0.05)
        for task in tasks:
            self.call("Task.clear", {"taskID": task})
        bad = {name: one for name, one in tasks.items() if "clean" in one["taskResult"]}
        return [
            f"{name}: {one}" for name, one in bad.items() if one["taskResult"] == "cleanFailure"
        ]

    def tidy(self) -> None:
        """Forget volumes that turned out not to be there; nothing is in doubt now."""
        with self.book.lock:
            ledger = self.book.ledger
            for image in list(self.images.values()):
                for volume in list(image.volumes):
                    name = register(f"{image.id}/{volume}")
                    if not ledger.in_doubt(name) and ledger.value(name) == ABSENT:
                        ledger.forget(name)
                        image.volumes.remove(volume)
                if not image.volumes:
                    del self.images[image.id]
