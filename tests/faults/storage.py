# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm's storage, killed at any operation on the files, and what the next SPM makes of it.

`python -m faults.storage`, as root, takes requests as lines of JSON and answers each with a line;
`Lab` asks it. Each request is done in a fresh process: tasks, volumes, images and qemu-img are the
real ones, in a PID namespace of their own, that dies as a container does, with all that is in it.
Who does the effects stops before the one that is asked for, and stands still until it is killed.
There are two levels: `calls` are the system calls that change files, `operations` what is asked of
real worker processes.

A domain has two images: CHAINED, a raw base with two COW volumes on it, and BASED, one COW volume
on the volume of the image TEMPLATE.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from storage import consistency
from storage.domain_site import DOMAIN, POOL, FakeLocks, FakePools
from storage.local_files import LocalFileSystems
from vdsm.host.tree import HostTree
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.events import Events
from vdsm.storage import layout
from vdsm.storage.domain import create
from vdsm.storage.domain.create_params import NewDomain
from vdsm.storage.domain.registry import MountedDomains
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import FileSystems
from vdsm.storage.image.images import Images
from vdsm.storage.image.prepared import PreparedLinks
from vdsm.storage.model import (
    MIB,
    Allocation,
    DomainClass,
    DomainStatus,
    Format,
    VolumeId,
    VolumeType,
)
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.protocols import Job, Task
from vdsm.storage.sdm.creating import create_volume
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.volume_work import VolumeWork
from vdsm.storage.tasks.manager import TaskManager
from vdsm.storage.tasks.resources import ResourceLocks
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.volumes import Copy, FileVolumes, NewVolume

P = ParamSpec("P")
R = TypeVar("R")

_CLONE_NEWPID: Final = 0x20000000
_WAIT_S: Final = 60.0
_MOUNT = "rhev/data-center/mnt/_data"

CHAINED = "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
BASED = "22222222-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
TEMPLATE = "33333333-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
NEW = "44444444-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
BASE = "11111111-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
MIDDLE = "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
LEAF = "33333333-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
SHARED = "44444444-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
CHILD = "55555555-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
ADDED = "66666666-bbbb-4bbb-8bbb-bbbbbbbbbbbb"

Tell = Callable[[JSON], None]

Step = Callable[[str], None]
"""Told of an effect before it happens."""


def volume(image: str, name: str) -> VolumeId:
    return VolumeId(DOMAIN, image, name)


def raw(allocation: Allocation = Allocation.SPARSE) -> NewVolume:
    return NewVolume(MIB, Format.RAW, allocation)


def cow(parent: VolumeId) -> NewVolume:
    return NewVolume(MIB, Format.COW, Allocation.SPARSE, parent=parent)


class Stack:
    """The parts of storage on the mount below `root`, as vdsm connects them."""

    def __init__(self, root: Path, filesystems: FileSystems) -> None:
        self.filesystems = filesystems
        self.mount = root / _MOUNT
        self.tree = HostTree(root)
        directory = self.mount.parent
        self.domains = MountedDomains(filesystems, self.tree, FakeLocks(), directory)
        self.resources = ResourceLocks(timeout_s=_WAIT_S)
        qemu_img = QemuImg()
        self.volumes = FileVolumes(self.domains, self.resources, qemu_img)
        links = PreparedLinks(root / "links")
        self.images = Images(self.domains, self.volumes, self.resources, qemu_img, links)
        self.tasks = TaskManager()
        self.volumes.register(self.tasks)
        self.images.register(self.tasks)

    @staticmethod
    def mounted(root: Path) -> None:
        """Says that the domain's directory is a mount."""
        target = root / _MOUNT
        target.mkdir(parents=True, exist_ok=True)
        mountinfo = HostTree(root).path("/proc/self/mountinfo")
        mountinfo.parent.mkdir(parents=True, exist_ok=True)
        mountinfo.write_text(f"100 27 0:50 / {target} rw - ext4 source rw\n")

    def become_spm(self) -> None:
        files = self.domains.find(DOMAIN).files
        self.tasks.attach(POOL, files.below(layout.TASKS))

    def run(self, verb: str, job: Job) -> dict[str, JSON]:
        """Runs a task to its end; its status."""
        task = self.tasks.start(verb, job, pool=POOL)
        assert self.tasks.wait(task, _WAIT_S)
        return self.tasks.status(task)

    def job(self, scenario: str) -> Job:
        """The work of a task, by its name in SCENARIOS."""
        return SCENARIOS[scenario](self)


def _creates(image: str, new: NewVolume) -> Callable[[Stack], Job]:
    return lambda stack: lambda task: stack.volumes.create(task, volume(image, ADDED), new)


def _copies(target_format: Format) -> Callable[[Stack], Job]:
    copy = Copy("copied", VolumeType.LEAF, target_format, Allocation.SPARSE)

    def make(stack: Stack) -> Job:
        source, target = volume(CHAINED, LEAF), volume(NEW, ADDED)
        return lambda task: stack.volumes.copy(task, source, target, copy)

    return make


def _deletes_leaf(stack: Stack) -> Job:
    return lambda task: stack.volumes.delete(task, volume(CHAINED, LEAF))


SCENARIOS: Final[dict[str, Callable[[Stack], Job]]] = {
    "create raw": _creates(NEW, raw()),
    "create preallocated": _creates(NEW, raw(Allocation.PREALLOCATED)),
    "create snapshot": _creates(CHAINED, cow(volume(CHAINED, LEAF))),
    "create from template": _creates(NEW, cow(volume(TEMPLATE, SHARED))),
    "delete volume": _deletes_leaf,
    "delete image": lambda stack: stack.images.delete(DOMAIN, CHAINED),
    "delete image of template": lambda stack: stack.images.delete(DOMAIN, BASED),
    "copy to raw": _copies(Format.RAW),
    "copy to cow": _copies(Format.COW),
}
"""What is killed."""


def _makes(image: str, new: NewVolume) -> Callable[[Stack], Work]:
    def make(stack: Stack) -> Work:
        pools = FakePools(POOL, {DOMAIN: DomainStatus.ACTIVE})
        work = VolumeWork(stack.domains, stack.volumes, stack.resources, pools)
        return create_volume(work, stack.volumes, volume(image, ADDED), new)

    return make


JOBS: Final[dict[str, Callable[[Stack], Work]]] = {
    "make raw": _makes(NEW, raw()),
    "make snapshot": _makes(CHAINED, cow(volume(CHAINED, LEAF))),
    "make from template": _makes(NEW, cow(volume(TEMPLATE, SHARED))),
}
"""What is killed, and no SPM knows of: the work of jobs."""


def make_domain(root: Path) -> None:
    """A domain with images, made by the same code, with data in each volume."""
    root.mkdir()
    Stack.mounted(root)
    stack = Stack(root, LocalFileSystems())
    new = NewDomain(DOMAIN, DomainType.LOCALFS, "/data", "data", DomainClass.DATA, 5, 0)
    create.build(stack.filesystems.at(stack.mount), new, FakeLocks(), lambda *_: None)
    files = stack.domains.find(DOMAIN).files
    files.mkdir(layout.TASKS, parents=True)
    for name in (layout.INBOX, layout.OUTBOX):
        files.truncate(name, 0)  # they are copied often, and nobody reads them here
    stack.become_spm()

    def fill(task: Task) -> JSON:
        for place, what in (
            (volume(CHAINED, BASE), raw()),
            (volume(CHAINED, MIDDLE), cow(volume(CHAINED, BASE))),
            (volume(CHAINED, LEAF), cow(volume(CHAINED, MIDDLE))),
            (volume(TEMPLATE, SHARED), raw()),
        ):
            stack.volumes.create(task, place, what)
        _share(stack)
        stack.volumes.create(task, volume(BASED, CHILD), cow(volume(TEMPLATE, SHARED)))
        task.commit()
        return None

    status = stack.run("fill", fill)
    assert status["taskResult"] == "success", status
    stack.tasks.clear(str(status["taskID"]))
    for number, place in enumerate(
        (
            volume(CHAINED, BASE),
            volume(CHAINED, MIDDLE),
            volume(CHAINED, LEAF),
            volume(BASED, CHILD),
        )
    ):
        kind = "raw" if place.volume == BASE else "qcow2"
        write = f"write -P {number + 1} {number * 128}k 192k"
        subprocess.run(
            ["qemu-io", "-f", kind, "-c", write, str(stack.volumes.path(place))],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _share(stack: Stack) -> None:
    stack.volumes.change_metadata(
        volume(TEMPLATE, SHARED), lambda now: replace(now, volume_type=VolumeType.SHARED)
    )


# --- where it is killed ---------------------------------------------------------------------------

_CALLS: Final = (
    *("fchmod", "fsync", "ftruncate", "link", "mkdir", "pwrite", "pwritev"),
    *("rename", "rmdir", "unlink", "write"),
)
_EFFECTS: Final = frozenset(
    {
        *("allocate", "chmod", "create", "link", "mkdir", "remove_tree", "rename"),
        *("rmdir", "sync", "truncate", "unlink", "write", "write_at"),
    }
)


class _Workers(WorkerFileSystems):
    """Real worker processes; `step` is told of what they are about to change."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._step = step

    def run(self, mount: Path, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if operation.__name__ in _EFFECTS:
            self._step(f"{operation.__name__} {args[1]!r:.120}")
        return super().run(mount, operation, *args, **kwargs)


def _watch_calls(step: Step) -> None:
    """`step` is told of each system call of this process that is about to change files."""
    real_open = os.open

    def opens(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            step(f"open {path!r:.120}")
        return real_open(path, flags, mode, dir_fd=dir_fd)

    def watched(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            step(f"{name} {args[0]!r:.120}")
            return real(*args, **kwargs)

        return call

    for name in _CALLS:
        setattr(os, name, watched(name))
    os.open = opens


class _Gate:
    """Stands still before the effect with the number `at`; None: never."""

    def __init__(self, at: int | None, tell: Tell) -> None:
        self._at = at
        self._tell = tell
        self._lock = threading.Lock()
        self._open = False
        self.steps: list[str] = []

    def __call__(self, what: str) -> None:
        with self._lock:
            if not self._open:
                return
            if len(self.steps) == self._at:
                self._tell({"killed": what})
                threading.Event().wait()
            self.steps.append(what)

    def begin(self) -> None:
        self._open = True


def _work(request: dict[str, Any], tell: Tell) -> None:
    """Runs a scenario until it is killed, or to its end."""
    gate = _Gate(request["at"], tell)
    stack = _stack(request, gate)
    if request["scenario"] in JOBS:
        job = StorageJob("job", "create_volume", JOBS[request["scenario"]](stack), Events())
        gate.begin()
        job.run()
        tell({"killed": None, "steps": list(gate.steps), "status": job.status.value})
        return
    stack.become_spm()
    task = stack.job(request["scenario"])
    gate.begin()
    status = stack.run(request["scenario"], task)
    tell({"killed": None, "steps": list(gate.steps), "status": status})


def _recover(request: dict[str, Any], tell: Tell) -> None:
    """What the next SPM does until it is killed, or to its end, and how the domain is then."""
    gate = _Gate(request["at"], tell)
    stack = _stack(request, gate)
    gate.begin()
    stack.become_spm()
    for task in stack.tasks.statuses():
        assert stack.tasks.wait(task, _WAIT_S)
    checked = consistency.check(
        stack.mount / DOMAIN, leases=True, trusted=request.get("trusted", {})
    )
    tell(
        {
            "killed": None,
            "steps": list(gate.steps),
            "tasks": list(stack.tasks.statuses().values()),
            "problems": list(checked.problems),
            "volumes": dict(checked.volumes),
        }
    )


def _stack(request: dict[str, Any], gate: _Gate) -> Stack:
    if request["level"] == "operations":
        return Stack(Path(request["root"]), _Workers(gate))
    _watch_calls(gate)
    return Stack(Path(request["root"]), LocalFileSystems())


def _make(request: dict[str, Any], tell: Tell) -> None:
    make_domain(Path(request["root"]))
    tell({})


def _copy(request: dict[str, Any], tell: Tell) -> None:
    root = Path(request["root"])
    with suppress(FileNotFoundError):
        shutil.rmtree(root)
    subprocess.run(["cp", "-a", request["from"], str(root)], check=True)
    Stack.mounted(root)
    tell({})


_REQUESTS: Final = {"make": _make, "copy": _copy, "work": _work, "recover": _recover}


# --- the processes --------------------------------------------------------------------------------


def _in_a_namespace(do: Callable[[Tell], None]) -> str:
    """What `do` tells first, from a process of its own, which is killed then with all that it
    started. Only for a process with one thread."""
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        # This process enters no namespace: its child does, as the first one there.
        failed = ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWPID)
        told = json.dumps({"error": "no namespace"}) if failed else _killed_when_it_tells(do)
        os.write(writing, told.encode() + b"\n")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.readline()
    os.waitpid(keeper, 0)
    return told.strip()


def _killed_when_it_tells(do: Callable[[Tell], None]) -> str:
    reading, writing = os.pipe()
    write = os.write  # not one that is watched

    def tell(value: JSON) -> None:
        write(writing, json.dumps(value).encode() + b"\n")

    child = os.fork()
    if child == 0:
        try:
            do(tell)
        except BaseException:
            tell({"error": traceback.format_exc()})
        threading.Event().wait()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.readline()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)  # and with it all others in its namespace
    return told.strip()


class Lab:
    """A program of this module that does what it is asked for. `directory` is for its domains."""

    def __init__(self, directory: Path) -> None:
        self._template, self._root = directory / "template", directory / "domain"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.storage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._ask(do="make", root=str(self._template))
        self.before = self.recover(root=self._template)["volumes"]

    def close(self) -> None:
        with self._process as process:
            process.kill()

    def kill(self, scenario: str, at: int | None, level: str = "calls") -> dict[str, Any]:
        """Runs a scenario on a fresh domain; `killed` is before what (None: it came to its end,
        after these `steps`)."""
        self._ask(do="copy", root=str(self._root), **{"from": str(self._template)})
        return self.again(scenario, at, level)

    def again(self, scenario: str, at: int | None = None, level: str = "calls") -> dict[str, Any]:
        """The same on the domain as it is."""
        return self._ask(do="work", root=str(self._root), scenario=scenario, at=at, level=level)

    def recover(self, at: int | None = None, root: Path | None = None) -> dict[str, Any]:
        """Lets the next SPM recover: the status of its `tasks`, the `problems` and `volumes` of the
        domain; or it is `killed`, too."""
        trusted = getattr(self, "before", {})
        return self._ask(
            do="recover", root=str(root or self._root), at=at, level="calls", trusted=trusted
        )

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        do = _REQUESTS[request["do"]]
        print(_in_a_namespace(partial(do, request)), flush=True)


if __name__ == "__main__":
    main()
