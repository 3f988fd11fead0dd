# SPDX-License-Identifier: GPL-2.0-or-later
"""What the parts of storage ask of each other.

Each part has a folder of its own, and sees the others only through these: `domain` knows domains,
`locks` knows host ids and leases, `pool` knows the pool and the SPM, `volume` and `image` know
disks, `tasks` knows what goes on and what must be undone after a crash, `monitor` knows how
domains feel. All are for any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vdsm.jsonrpc.errors import JSON
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files
from vdsm.storage.model import (
    DomainMetadata,
    DomainStatus,
    Lease,
    SpmStatus,
    VolumeId,
    VolumeMetadata,
)

# --- locks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lease: `host_id` 0 and `generation` 0 when nobody does."""

    generation: int
    host_id: int


class ClusterLock(Protocol):
    """Host ids and leases of one domain: sanlock's, or within this host for localfs."""

    def init(self) -> None:
        """Writes the lockspace and the SPM's resource of a new domain. ClusterLockInitError."""

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None:
        """Joins the lockspace; without `wait` it goes on in the background. Joined: no error.
        Raises AcquireHostIdFailure, also when another host has this id."""

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None:
        """Leaves the lockspace; not joined: no error. Raises ReleaseHostIdFailure."""

    def has_host_id(self, host_id: int) -> bool: ...

    def acquire(self, host_id: int, lease: Lease | None = None) -> None:
        """Takes a lease (None: the SPM's) for this process. Raises AcquireLockFailure."""

    def release(self, lease: Lease | None = None) -> None:
        """Raises ReleaseLockFailure."""

    def inquire(self, lease: Lease | None = None) -> Owner:
        """Raises InquireNotSupported."""

    def create_lease(self, lease: Lease) -> None:
        """Writes a free resource into a file that is there, such as a volume's `.lease`."""

    @property
    def supports_volume_leases(self) -> bool: ...


# --- domains --------------------------------------------------------------------------------------


class Domain(Protocol):
    """A storage domain that was found on a mount."""

    @property
    def uuid(self) -> str: ...

    @property
    def mount(self) -> Path:
        """The mount that it is on."""

    @property
    def path(self) -> Path:
        """mount / uuid"""

    @property
    def kind(self) -> DomainType: ...

    @property
    def version(self) -> int: ...

    @property
    def files(self) -> Files:
        """Below `path`."""

    @property
    def lock(self) -> ClusterLock: ...

    def metadata(self) -> DomainMetadata:
        """Read anew. Raises MetadataSealIsBroken, StorageDomainMetadataNotFound, ..."""

    def change_metadata(self, change: Callable[[DomainMetadata], DomainMetadata]) -> DomainMetadata:
        """Reads, changes and writes it as one step of this host; what was written."""

    def refuse_unless_data(self) -> None:
        """Raises ImagesNotSupported for a domain that holds no images (ISO)."""


class Domains(Protocol):
    """The domains on what is mounted."""

    def find(self, uuid: str) -> Domain:
        """Looks at what it knows, then at all mounts. Raises StorageDomainDoesNotExist."""

    def uuids(self) -> list[str]:
        """All that are found now, on mounts that answer."""

    def forget(self, uuid: str | None = None) -> None:
        """Drops what is remembered of a domain, or of all."""


# --- resources: locks within this host ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that one may work on at a time (`exclusive`), or several may look at."""

    key: tuple[str, ...]
    exclusive: bool = True

    @staticmethod
    def pool(uuid: str, *, exclusive: bool = True) -> Resource:
        return Resource(("pool", uuid), exclusive)

    @staticmethod
    def domain(uuid: str, *, exclusive: bool = True) -> Resource:
        return Resource(("domain", uuid), exclusive)

    @staticmethod
    def image(domain: str, image: str, *, exclusive: bool = True) -> Resource:
        return Resource(("image", domain, image), exclusive)

    @staticmethod
    def volume(volume: VolumeId, *, exclusive: bool = True) -> Resource:
        return Resource(("volume", volume.domain, volume.image, volume.volume), exclusive)


class Resources(Protocol):
    """The locks. Several are taken in one order, so that two holders cannot wait for each other."""

    def holding(
        self, *resources: Resource, timeout: float | None = None
    ) -> AbstractContextManager[None]:
        """Waits for all of them, `timeout` seconds at most (None: the configured 120). Raises
        ResourceTimeout that names the one that is busy."""


# --- tasks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recovery:
    """How to undo what a task did, by the name of a function that is registered with
    `Tasks.register` and its arguments. It may be run twice, and on another host."""

    name: str
    params: tuple[str, ...]


class Task(Protocol):
    """What a running task sees of itself."""

    @property
    def id(self) -> str: ...

    def undo_with(self, recovery: Recovery) -> None:
        """Before a step: how to undo it. On the disk when this returns; the last is run first."""

    def commit(self) -> None:
        """What was done so far is to stay: forgets all recoveries, durably."""

    def check(self) -> None:
        """Raises TaskAborted when somebody asked for an end."""

    def on_abort(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        """Within the block an abort calls `stop`, for example to kill qemu-img."""


Job = Callable[[Task], JSON]
"""The work of a task; what it returns is the task's result."""


class Tasks(Protocol):
    """The tasks of this host: at most 10 at a time, a queue with a limit."""

    def start(self, verb: str, job: Job, *, pool: str | None = None) -> str:
        """Queues a task; its id. With a pool it is kept on the master domain, so that the next SPM
        finds it, otherwise it is forgotten with this process. Raises AddTaskError (queue full)."""

    def register(self, name: str, undo: Callable[[Sequence[str]], None]) -> None:
        """Makes a recovery known. Raises ValueError when the name is taken."""

    def attach(self, pool: str, files: Files) -> None:
        """This host is SPM: keeps the tasks of `pool` in `files` (the master's `master/tasks`),
        loads what is there, and recovers it in the background."""

    def detach(self, pool: str) -> None:
        """Not SPM any more: what was loaded is forgotten here, not on the disk."""

    def unfinished(self, pool: str) -> list[str]:
        """Ids of the tasks of a pool that still run or wait."""


# --- pools ----------------------------------------------------------------------------------------


class Pools(Protocol):
    """The pool that this host is connected to."""

    def require(self, pool: str) -> None:
        """Raises StoragePoolUnknown unless this pool is connected."""

    def require_spm(self, pool: str) -> None:
        """Raises StoragePoolUnknown, or SpmStatusError unless this host is its SPM."""

    def require_member(self, pool: str, domain: str) -> None:
        """Raises StorageDomainNotMemberOfPool."""

    def connected(self) -> str | None:
        """The uuid of the connected pool."""

    def host_id(self, pool: str) -> int:
        """This host's id in the pool. Raises StoragePoolUnknown."""

    def spm_status(self, pool: str) -> SpmStatus: ...

    def domains(self, pool: str) -> Mapping[str, DomainStatus]: ...


# --- monitors -------------------------------------------------------------------------------------


class Monitors(Protocol):
    """Watches domains: whether each answers, how fast, and keeps the host id in it."""

    def start(self, domain: str, host_id: int, *, pool: bool) -> None:
        """Begins to watch; `pool` tells a member of the pool from one that
        Host.startMonitoringDomain added. Watched already: no error."""

    def stop(self, domains: Sequence[str]) -> None:
        """Ends watching and leaves the lockspaces."""

    def watched(self) -> list[str]: ...

    def stats(self) -> dict[str, JSON]:
        """StorageDomainVitalsMap for Host.getStorageRepoStats and Host.getStats."""

    def is_valid(self, domain: str) -> bool:
        """Whether the last look at it went well."""


# --- volumes and images ---------------------------------------------------------------------------


class Volumes(Protocol):
    """Volumes of file domains."""

    def metadata(self, volume: VolumeId) -> VolumeMetadata:
        """Raises VolumeDoesNotExist, VolumeMetadataReadError, MetadataKeyNotFound, ..."""

    def change_metadata(
        self, volume: VolumeId, change: Callable[[VolumeMetadata], VolumeMetadata]
    ) -> VolumeMetadata: ...

    def uuids(self, domain: str, image: str | None = None) -> list[str]:
        """The volumes of an image, or of a domain."""

    def images(self, domain: str) -> list[str]:
        """The images of a domain, without those that are being removed."""

    def chain(self, leaf: VolumeId) -> list[VolumeId]:
        """From the base to `leaf`, by the metadata of each; a template's volume at its begin has
        the template's image. Raises ImageIsNotLegalChain for a loop or a parent that is missing."""

    def path(self, volume: VolumeId) -> Path:
        """The absolute path of its data."""

    def lease(self, volume: VolumeId) -> Lease: ...
