# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with domains in a directory: real files, tasks and resources; locks and monitors that
live in the test. Several hosts may share the directory and the locks."""

from __future__ import annotations

import errno
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from storage.local_files import LocalFiles
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.domain.file_domain import FileDomain
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files
from vdsm.storage.formats import domain_metadata
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.model import DomainClass, DomainMetadata, DomainStatus, Lease, Role
from vdsm.storage.pool.changes import LeaseParameters
from vdsm.storage.pool.links import Links
from vdsm.storage.pool.pools import StoragePools
from vdsm.storage.pool.spm import StartRequest
from vdsm.storage.protocols import Owner
from vdsm.storage.tasks.manager import TaskManager
from vdsm.storage.tasks.resources import ResourceLocks

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_S = 30.0
ACTIVE, ATTACHED = DomainStatus.ACTIVE, DomainStatus.ATTACHED
LEASE = LeaseParameters(5, 60, 10, 3)
FEW_HOSTS = StartRequest(max_host_id=8)
POOL = "5a0b1c2d-0000-4000-8000-000000000001"


class Killed(BaseException):
    """The process is dead: nothing that it would do next is done."""


@dataclass
class Fate:
    """When the process is killed: before its n-th change of a file (None: never); or which change
    alone fails."""

    changes_left: int | None = None
    failing: int | None = None

    def change(self) -> None:
        if self.failing is not None:
            self.failing -= 1
            if self.failing == -1:
                raise OSError(errno.EIO, "as the test wants it")
        if self.changes_left is None:
            return
        self.changes_left -= 1
        if self.changes_left < 0:
            raise Killed


_CHANGES = frozenset({"write", "mkdir", "create", "remove_tree", "rename", "unlink", "write_at"})


class MortalFiles(LocalFiles):
    """Files of a process that can be killed."""

    fate = Fate()

    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if getattr(operation, "__name__", "") in _CHANGES:
            self.fate.change()
        return super()._run(operation, *args, **kwargs)


@dataclass
class Leases:
    """The lockspaces of all hosts, by domain: who joined, and who holds the SPM's lease."""

    joined: dict[str, set[int]] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    guard: threading.Lock = field(default_factory=threading.Lock)


class FakeLock:
    """A cluster lock of one host."""

    def __init__(self, domain: str, leases: Leases) -> None:
        self._domain = domain
        self._leases = leases
        self._mine: int | None = None

    def init(self) -> None:
        """Nothing to write."""

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None:
        del wait
        with self._leases.guard:
            joined = self._leases.joined.setdefault(self._domain, set())
            if self._mine != host_id and host_id in joined:
                raise errors.AcquireHostIdFailure(f"host id {host_id} is another host's")
            if self._mine not in (None, host_id):
                raise errors.AcquireHostIdFailure(f"this host is {self._mine}")
            joined.add(host_id)
            self._mine = host_id

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None:
        del wait, unused
        with self._leases.guard:
            self._leases.joined.get(self._domain, set()).discard(host_id)
            self._mine = None

    def has_host_id(self, host_id: int) -> bool:
        return self._mine == host_id

    def acquire(self, host_id: int, lease: Lease | None = None) -> None:
        assert lease is None
        assert self._mine == host_id
        with self._leases.guard:
            owner = self._leases.owners.get(self._domain)
            if owner is not None and owner.host_id != host_id:
                raise errors.AcquireLockFailure(f"host id {owner.host_id} has it")
            generation = self._leases.generations.get(self._domain, 0) + 1
            self._leases.generations[self._domain] = generation
            self._leases.owners[self._domain] = Owner(generation, host_id)

    def release(self, lease: Lease | None = None) -> None:
        assert lease is None
        with self._leases.guard:
            self._leases.owners.pop(self._domain, None)

    def inquire(self, lease: Lease | None = None) -> Owner:
        assert lease is None
        if self._domain in self._leases.broken:
            raise errors.StorageDomainAccessError(self._domain)
        return self._leases.owners.get(self._domain, Owner(0, 0))

    def create_lease(self, lease: Lease) -> None:
        raise AssertionError(lease)

    @property
    def supports_volume_leases(self) -> bool:
        return True


class FakeDomains:
    """What one host finds on its one mount."""

    def __init__(self, mount: Path, leases: Leases, fate: Fate) -> None:
        self._mount = mount
        self._leases = leases
        self._known: dict[str, FileDomain] = {}
        self._changing = KeyedLock()
        self._files = type("TheseFiles", (MortalFiles,), {"fate": fate})

    def find(self, uuid: str) -> FileDomain:
        files: Files = self._files(self._mount).below(uuid)
        if not (self._mount / uuid).is_dir():
            raise errors.StorageDomainDoesNotExist(uuid)
        if uuid not in self._known:
            metadata = domain_metadata.decode(files.read(layout.METADATA), uuid)
            lock = FakeLock(uuid, self._leases)
            self._known[uuid] = FileDomain(self._mount, files, lock, metadata, self._changing)
        return self._known[uuid]

    def uuids(self) -> list[str]:
        return sorted(path.name for path in self._mount.iterdir())

    def forget(self, uuid: str | None = None) -> None:
        del uuid


class FakeMonitors:
    """Watches nothing, but leaves the lockspaces as the real ones do."""

    def __init__(self, domains: FakeDomains) -> None:
        self.of: dict[str, int] = {}
        self._domains = domains

    def start(self, domain: str, host_id: int, *, pool: bool) -> None:
        assert pool
        self.of[domain] = host_id

    def stop(self, domains: Sequence[str]) -> None:
        for one in domains:
            host_id = self.of.pop(one)
            with suppress(errors.StorageDomainDoesNotExist):
                self._domains.find(one).lock.release_host_id(host_id, wait=True)

    def watched(self) -> list[str]:
        return sorted(self.of)

    def stats(self) -> dict[str, JSON]:
        return {}

    def is_valid(self, domain: str) -> bool:
        return domain in self.of


class World:
    """One host; `another` is a second one on the same storage, or the same one after a kill."""

    def __init__(self, root: Path, leases: Leases | None = None, name: str = "first") -> None:
        self.root = root
        self.mount = root / "mnt"
        self.mount.mkdir(exist_ok=True)
        self.data_center = root / name
        self.data_center.mkdir(exist_ok=True)
        self.leases = leases or Leases()
        self.fate = Fate()
        self.formatted: list[str] = []
        self.domains = FakeDomains(self.mount, self.leases, self.fate)
        self.monitors = FakeMonitors(self.domains)
        self.tasks = TaskManager()
        self.pools = StoragePools(
            self.domains,
            self.monitors,
            self.tasks,
            ResourceLocks(),
            lambda files, _metadata: self.formatted.append(files.root.name),
            Links(self.data_center),
        )

    def another(self, name: str = "second") -> World:
        return World(self.root, self.leases, name)

    def restarted(self) -> World:
        """The same host after its process is gone, and its leases with it."""
        self.leases.joined.clear()
        self.leases.owners.clear()
        return World(self.root, self.leases, self.data_center.name)

    # --- domains ----------------------------------------------------------------------------------

    def make_domain(self, kind: DomainType = DomainType.NFS, **changes: object) -> str:
        """A domain as StorageDomain.create leaves it."""
        metadata = DomainMetadata(
            uuid=str(uuid.uuid4()),
            version=5,
            kind=kind,
            role=Role.REGULAR,
            domain_class=DomainClass.DATA,
            description="data",
            remote_path="server:/export",
        )
        metadata = replace(metadata, **changes)  # type: ignore[arg-type]
        path = self.mount / metadata.uuid
        (path / layout.DOM_MD).mkdir(parents=True)
        (path / layout.IMAGES).mkdir()
        (path / layout.METADATA).write_bytes(domain_metadata.encode(metadata))
        for name in (layout.INBOX, layout.OUTBOX):
            with (path / name).open("wb") as file:
                file.truncate(64 << 10)
        return metadata.uuid

    def metadata(self, domain: str) -> DomainMetadata:
        """What is on the disk."""
        data = (self.mount / domain / layout.METADATA).read_bytes()
        return domain_metadata.decode(data, domain)

    def bytes_of(self, *domains: str) -> list[bytes]:
        return [(self.mount / domain / layout.METADATA).read_bytes() for domain in domains]

    # --- an engine --------------------------------------------------------------------------------

    def create(self, master: str, *others: str, pool: str = POOL) -> None:
        self.pools.create(
            pool,
            name="default",
            master=master,
            version=1,
            members=(master, *others),
            lease=LEASE,
        )

    def connect(
        self,
        master: str,
        statuses: dict[str, DomainStatus] | None = None,
        *,
        host_id: int = 1,
        version: int = 1,
        pool: str = POOL,
        on_disk: bool = False,
    ) -> None:
        self.pools.connect(
            pool,
            host_id=host_id,
            master=master,
            version=version,
            domains=None if on_disk else {master: ACTIVE, **(statuses or {})},
        )

    def end(self, task: str) -> tuple[int, str]:
        """The code and the message that a task ends with."""
        deadline = time.monotonic() + PATIENCE_S
        while (status := self.tasks.status(task))["taskState"] != "finished":
            assert time.monotonic() < deadline, status
            time.sleep(0.01)
        code = status["code"]
        assert isinstance(code, int)
        return code, str(status["message"])

    def start_spm(self, request: StartRequest | None = None, pool: str = POOL) -> int:
        """The code of the task."""
        return self.end(self.pools.spm_start(pool, request or FEW_HOSTS))[0]

    def begin(self, *others: str, on_disk: bool = False) -> str:
        """A pool with a new master and these domains, whose SPM this host is; the master."""
        master = self.make_domain()
        self.create(master, *others)
        self.connect(master, dict.fromkeys(others, ATTACHED), on_disk=on_disk)
        assert self.start_spm() == 0
        return master

    def links(self, pool: str = POOL) -> dict[str, str]:
        """The links of a pool and the domains that they lead to."""
        directory = self.data_center / pool
        if not directory.exists():
            return {}
        return {path.name: path.readlink().name for path in directory.iterdir()}
