# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that is SPM of a pool, the storage around it, and what somebody may have done to that."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from process.vdsm.storage.domain.mounted_site import MountedSite
from storage.api_site import ApiHost
from storage.engine import COW, LOCALFS, Engine
from supervdsm.storage import kernel
from vdsm.storage import layout
from vdsm.storage.formats import domain_metadata, volume_metadata
from vdsm.storage.model import VolumeType
from vdsm.storage.outofprocess.pool import WorkerFileSystems

Result = TypeVar("Result")

POOL = "5849b030-626e-47cb-ad90-3ce782d831b3"
FOREIGN_POOL = "6849b030-626e-47cb-ad90-3ce782d831b3"
DATA = "a2f7b7c6-1b3e-4f0c-8d5e-3c9a7b1d2e4f"
FOREIGN = "b3a8c8d7-2c4f-4a1d-9e6f-4dab8c2e3f5a"
FULL = "c3a8c8d7-2c4f-4a1d-9e6f-4dab8c2e3f5a"
READ_ONLY = "d3a8c8d7-2c4f-4a1d-9e6f-4dab8c2e3f5a"
ISO = "e3a8c8d7-2c4f-4a1d-9e6f-4dab8c2e3f5a"
IMAGE = "11111111-2222-4333-8444-555555555555"
OTHER_IMAGE = "21111111-2222-4333-8444-555555555555"
BASE = "31111111-2222-4333-8444-555555555551"
LEAF = "31111111-2222-4333-8444-555555555553"
SINGLE = "41111111-2222-4333-8444-555555555551"
UNKNOWN = "ffffffff-2222-4333-8444-555555555555"

SECRET = "what no client is to see"

_SPECS = {DATA: "/data", FOREIGN: "/foreign", FULL: "/full", READ_ONLY: "/read-only", ISO: "/iso"}
_PR_CAPBSET_DROP = 24
_IGNORING_OWNERS = (0, 1, 2, 3)  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER


class Inside:
    """A thread with a mount namespace of its own; what it starts obeys modes and owners."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # A daemon: a test that hangs is to fail by pytest's timeout, not to hang pytest.
        Thread(target=self._work, daemon=True).start()

    def run(self, work: Callable[[], Result]) -> Result:
        done: Future[Result] = Future()

        def job() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # raised where it is waited for
                done.set_exception(error)

        self._jobs.put(job)
        return done.result()

    def end(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        kernel.enter_new_mount_namespace()
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in _IGNORING_OWNERS:
            assert libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
        while job := self._jobs.get():
            job()


class World:
    """DATA is the master of POOL, of which the host is SPM; FULL and READ_ONLY are in POOL too;
    FOREIGN is of another pool. DATA has IMAGE (BASE, and LEAF above it) and OTHER_IMAGE (SINGLE).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        filesystems = WorkerFileSystems()
        self.site = MountedSite(root, filesystems)
        for spec in _SPECS.values():
            self.site.small(spec, "1m" if spec == "/full" else "64m")
        self.host = ApiHost(self.site, root, filesystems)
        self.engine = Engine(
            self.host.call, LOCALFS, {"connection": "/data"}, pool=POOL, domain=DATA, poll_s=0.005
        )
        self.outside = root / "outside"
        self.outside.mkdir()
        (self.outside / "secret").write_text(SECRET)
        self._make_domains()
        self._make_images()
        for name in ("data-center", "run"):  # made when they are first used
            (root / "rhev" / name).mkdir(exist_ok=True)

    def _make_domains(self) -> None:
        self.engine.create_domain(blockSize=0)
        self.engine.create_pool()
        self.engine.connect_pool()
        self.engine.spm_start()
        self.engine.activate()
        for uuid in (FULL, READ_ONLY, FOREIGN):
            self._engine_of(uuid).create_domain(blockSize=0)
        self._engine_of(ISO).create_domain(blockSize=0, domainClass=2)
        for uuid in (FULL, READ_ONLY):
            params = {"storagedomainID": uuid, "storagepoolID": POOL}
            self.host.call("StorageDomain.attach", params)
            self.host.call("StorageDomain.activate", params)
        path = self.directory(FOREIGN) / layout.METADATA
        metadata = domain_metadata.decode(path.read_bytes(), str(path))
        path.write_bytes(domain_metadata.encode(replace(metadata, pools=(FOREIGN_POOL,))))

    def _make_images(self) -> None:
        self.engine.create_volume(IMAGE, BASE)
        self.engine.create_volume(IMAGE, LEAF, form=COW, parent=(IMAGE, BASE))
        self.engine.create_volume(OTHER_IMAGE, SINGLE)
        self._engine_of(READ_ONLY).create_volume(OTHER_IMAGE, SINGLE)
        self._engine_of(FULL).create_volume(OTHER_IMAGE, SINGLE)
        self.site.read_only(self.site.path("/read-only"))
        self.site.fill(self.site.path("/full"))

    def _engine_of(self, uuid: str) -> Engine:
        return replace(self.engine, domain=uuid, connection={"connection": _SPECS[uuid]})

    def close(self) -> None:
        self.host.close()

    # --- where things are -------------------------------------------------------------------------

    def directory(self, domain: str = DATA) -> Path:
        return self.site.path(_SPECS[domain]) / domain

    def image(self, image: str = IMAGE) -> Path:
        return self.directory() / layout.image(image)

    # --- calls ------------------------------------------------------------------------------------

    def refused(self, calls: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[int, str]]:
        """The code and the message of each call, or of the task or the job that it starts: an error
        that leaves everything as it was."""
        before = self.host.snapshot()
        for verb, params in calls:
            code, message = self.host.outcome(verb, params)
            after = self.host.snapshot()
            assert code != 0, f"{verb} took {params}"
            assert code != -32603, message
            assert SECRET not in message
            assert after == before, f"{verb} changed {_difference(before, after)}"
            yield code, message

    # --- what somebody did ------------------------------------------------------------------------

    @contextmanager
    def replaced_by_link(self, path: Path) -> Iterator[None]:
        """The file or directory is out of the domain, and a symbolic link leads to it."""
        target = self.outside / path.name
        shutil.move(path, target)
        path.symlink_to(target)
        try:
            yield
        finally:
            path.unlink()
            shutil.move(target, path)

    @contextmanager
    def rewritten(self, path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
        before = path.read_bytes()
        path.write_bytes(change(before))
        try:
            yield
        finally:
            path.write_bytes(before)

    @contextmanager
    def told(self, volume: str, **changes: Any) -> Iterator[None]:
        """The metadata of a volume says something else."""

        def change(data: bytes) -> bytes:
            metadata = volume_metadata.decode(data, volume)
            return volume_metadata.encode(replace(metadata, **changes), 5)

        with self.rewritten(self.image() / f"{volume}{layout.META_SUFFIX}", change):
            yield

    @contextmanager
    def looped(self) -> Iterator[None]:
        with self.told(BASE, parent=LEAF, volume_type=VolumeType.INTERNAL):
            yield

    @contextmanager
    def based_on(self, backing: str, volume: str = LEAF) -> Iterator[None]:
        """The header of a qcow2 volume names what is below it."""
        path = self.image() / volume
        kept = path.with_name("kept")
        path.rename(kept)
        create = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", backing]
        subprocess.run([*create, path, "1M"], check=True, timeout=60)
        try:
            yield
        finally:
            kept.replace(path)

    @contextmanager
    def owned_by_another(self, path: Path) -> Iterator[None]:
        before = path.stat()
        os.chown(path, 1, 1)
        path.chmod(0o600)
        try:
            yield
        finally:
            path.chmod(before.st_mode & 0o7777)
            os.chown(path, before.st_uid, before.st_gid)


def _difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted({path for path in before | after if before.get(path) != after.get(path)})
