# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage domains on directories that a made up mountinfo calls mounts. For unit tests:

site = DomainSite(tmp_path)
site.mount("/data")
site.lifecycle.create(site.new())
domain = site.domains.find(DOMAIN)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from storage.local_files import LocalFiles
from unit.vdsm.fakes import FakeStorage
from vdsm.host.tree import HostTree
from vdsm.storage import errors, specs
from vdsm.storage.domain.create_params import NewDomain
from vdsm.storage.domain.lifecycle import Lifecycle
from vdsm.storage.domain.registry import MountedDomains
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files, FileSystems
from vdsm.storage.model import DomainClass, DomainMetadata, DomainStatus, Lease, SpmStatus
from vdsm.storage.protocols import Owner
from vdsm.storage.tasks.resources import ResourceLocks

P = ParamSpec("P")
R = TypeVar("R")

DOMAIN = "a2f7b7c6-1b3e-4f0c-8d5e-3c9a7b1d2e4f"
OTHER = "b3a8c8d7-2c4f-4a1d-9e6f-4dab8c2e3f5a"
POOL = "5849b030-626e-47cb-ad90-3ce782d831b3"


class Killed(BaseException):
    """The process is killed: nobody is to catch it."""


class FaultyFileSystems:
    """Local files; `fault` is called before each operation with its number and its name, and may
    raise, or wait."""

    def __init__(self) -> None:
        self.fault: Callable[[Path, str], None] = lambda _root, _operation: None

    def at(self, root: Path) -> Files:
        return _FaultyFiles(self, root)

    def drop(self, root: Path) -> None:
        raise AssertionError(root)

    def close(self) -> None:
        """Nothing is kept."""

    def kill_at(self, step: int) -> None:
        """Ends with Killed at the operation of this number, and at all after it."""
        done = 0

        def fault(_root: Path, _operation: str) -> None:
            nonlocal done
            done += 1
            if done > step:
                raise Killed

        self.fault = fault

    def fail_at(self, step: int, number: int) -> None:
        """One operation, by its number, fails with this errno."""
        done = 0

        def fault(_root: Path, _operation: str) -> None:
            nonlocal done
            done += 1
            if done == step + 1:
                raise OSError(number, os.strerror(number))

        self.fault = fault

    def mend(self) -> None:
        self.fault = lambda _root, _operation: None


class _FaultyFiles(LocalFiles):
    def __init__(self, filesystems: FaultyFileSystems, mount: Path, prefix: str = ".") -> None:
        super().__init__(mount, prefix)
        self._filesystems = filesystems

    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        self._filesystems.fault(self._mount, operation.__name__)
        return super()._run(operation, *args, **kwargs)

    def _at(self, mount: Path, prefix: str) -> Self:
        return type(self)(self._filesystems, mount, prefix)


@dataclass
class FakeLock:
    """A lock of one host; `init` writes what sanlock would."""

    path: Path
    broken: bool = False

    def init(self) -> None:
        if self.broken:
            raise errors.ClusterLockInitError(str(self.path))
        (self.path / "dom_md/ids").write_bytes(b"lockspace")

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None: ...

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None: ...

    def has_host_id(self, host_id: int) -> bool:
        return True

    def acquire(self, host_id: int, lease: Lease | None = None) -> None: ...

    def release(self, lease: Lease | None = None) -> None: ...

    def inquire(self, lease: Lease | None = None) -> Owner:
        return Owner(0, 0)

    def create_lease(self, lease: Lease) -> None: ...

    @property
    def supports_volume_leases(self) -> bool:
        return True


@dataclass
class FakeLocks:
    broken: bool = False

    def of(
        self,
        domain: str,
        path: Path,
        *,
        kind: DomainType,
        version: int,
        alignment: int,
        block_size: int,
    ) -> FakeLock:
        del domain, kind, version, alignment, block_size
        return FakeLock(path, self.broken)


@dataclass
class FakePools:
    """At most one pool, which this host may be SPM of."""

    pool: str | None = None
    members: dict[str, DomainStatus] = field(default_factory=dict)
    spm: bool = False

    def require(self, pool: str) -> None:
        if pool != self.pool:
            raise errors.StoragePoolUnknown(pool)

    def require_spm(self, pool: str) -> None:
        self.require(pool)
        if not self.spm:
            raise errors.SpmStatusError(pool)

    def require_member(self, pool: str, domain: str) -> None:
        if domain not in self.domains(pool):
            raise errors.StorageDomainNotMemberOfPool(domain)

    def connected(self) -> str | None:
        return self.pool

    def host_id(self, pool: str) -> int:
        self.require(pool)
        return 1

    def spm_status(self, pool: str) -> SpmStatus:
        self.require(pool)
        return SpmStatus.SPM if self.spm else SpmStatus.FREE

    def domains(self, pool: str) -> Mapping[str, DomainStatus]:
        self.require(pool)
        return self.members


class DomainSite:
    """Everything that makes and finds domains, below `root`."""

    def __init__(
        self, root: Path, filesystems: FileSystems | None = None, pools: FakePools | None = None
    ) -> None:
        self.tree = HostTree(root)
        self.directory = root / "rhev/data-center/mnt"
        self.directory.mkdir(parents=True)
        (root / "proc/self").mkdir(parents=True)
        self._mounts: dict[str, str] = {}
        self._next = 100
        self.faults = FaultyFileSystems()
        self.filesystems: FileSystems = filesystems or self.faults
        self.locks = FakeLocks()
        self.pools = pools or FakePools()
        self.storage = FakeStorage(root)
        self.resources = ResourceLocks(timeout_s=20)
        self.domains = MountedDomains(self.filesystems, self.tree, self.locks, self.directory)
        self.lifecycle = Lifecycle(
            domains=self.domains,
            filesystems=self.filesystems,
            locks=self.locks,
            format_leases=_format_leases,
            resources=self.resources,
            pools=self.pools,
            storage=self.storage,
            directory=self.directory,
        )
        self._write()

    def path(self, spec: str) -> Path:
        return specs.mount_point(spec, self.directory)

    def mount(self, spec: str = "/data", fs_type: str = "ext4") -> Path:
        """Says that something is mounted; a directory that is there keeps what is in it."""
        path = self.path(spec)
        path.mkdir(exist_ok=True)
        self._next += 1
        self._mounts[spec] = f"{self._next} 27 0:50 / {path} rw - {fs_type} source rw\n"
        self._write()
        return path

    def umount(self, spec: str = "/data") -> None:
        del self._mounts[spec]
        self._write()

    @staticmethod
    def new(**changes: Any) -> NewDomain:
        new = NewDomain(
            uuid=DOMAIN,
            kind=DomainType.LOCALFS,
            remote_path="/data",
            name="data",
            domain_class=DomainClass.DATA,
            version=5,
            block_size=0,
        )
        return replace(new, **changes)

    def made(self, **changes: Any) -> Path:
        """A domain on a mount of its own; its directory."""
        new = self.new(**changes)
        mount = self.mount(new.remote_path)
        self.lifecycle.create(new)
        return mount / new.uuid

    def _write(self) -> None:
        self.tree.path("/proc/self/mountinfo").write_text("".join(self._mounts.values()))


def _format_leases(files: Files, metadata: DomainMetadata) -> None:
    files.write_at("dom_md/xleases", 0, metadata.uuid.encode(), direct=False)
