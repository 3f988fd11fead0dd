# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be mounted: an NFS export, a block device with ext4 or xfs, a directory of the host.

`opened` checks the source on the host, before anything is touched, and returns a `Source`, which
knows whether a mount shows it, and makes a detached mount of it.
"""

import errno
import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from supervdsm.common import call
from supervdsm.policy import paths
from supervdsm.policy import sources as policy
from supervdsm.policy.mount_options import VfsType
from supervdsm.storage import kernel, mountinfo
from supervdsm.storage.mountinfo import Mount
from supervdsm.storage.stage import MOUNT_FAILURE, StageFailed, staged_mount
from vdsm_contract.errors import InvalidArgument, TimedOut
from vdsm_contract.paths import KVM_GID, VDSM_UID

_FIELD: Final = "fsSpec"


class Source(Protocol):
    """Something to mount."""

    def is_shown_by(self, mount: Mount) -> bool:
        """Return whether `mount` is a mount of this."""

    def detached(self) -> AbstractContextManager[int]:
        """Hold a new detached mount of this, as a descriptor. Raises StageFailed and TimedOut."""


@contextmanager
def opened(
    spec: str, vfs: VfsType, options: Sequence[str], *, data_center: Path, host_root: Path
) -> Iterator[Source]:
    """Check `spec` and hold what it names. Raises InvalidArgument."""
    match vfs:
        case VfsType.NFS | VfsType.NFS4:
            yield NfsExport(policy.nfs_export(spec), vfs.value, options)
        case VfsType.EXT4 | VfsType.XFS:
            path, device = _block_device(spec)
            with _one_at_a_time(device):
                _refuse_if_in_use(path, device, data_center)
                yield BlockDevice(path, device, vfs.value, options)
        case VfsType.NONE:
            relative = policy.host_directory(spec)
            with paths.pinned_directory(host_root, relative, field=_FIELD) as directory:
                yield _host_directory(directory, options)


# --- NFS ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NfsExport:
    """SERVER:/PATH."""

    spec: str
    fs_type: str
    options: Sequence[str]

    def is_shown_by(self, mount: Mount) -> bool:
        same_type = mount.fs_type in {"nfs", "nfs4"}  # what was asked as nfs may end as nfs4
        return same_type and _normal_export(mount.source) == _normal_export(self.spec)

    def detached(self) -> AbstractContextManager[int]:
        return staged_mount(self.fs_type, (*self._retry(), *self.options), self.spec)

    def _retry(self) -> tuple[str, ...]:
        """mount.nfs's own default is 2 minutes, which is all of the verb's limit: the caller would
        hear of a time limit and not of the reason."""
        given = any(option.startswith("retry=") for option in self.options)
        return () if given else ("retry=1",)


def _normal_export(spec: str) -> tuple[str, str]:
    server, _, path = spec.partition(":/")
    return server.lower(), re.sub("/+", "/", f"/{path}/")


# --- ext4, xfs ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlockDevice:
    """A block device with a file system of vdsm's. `path` has no symbolic links."""

    path: str
    device: int
    fs_type: str
    options: Sequence[str]

    def is_shown_by(self, mount: Mount) -> bool:
        return mount.device == self.device and mount.fs_type == self.fs_type and mount.root == "/"

    @contextmanager
    def detached(self) -> Iterator[int]:
        with staged_mount(self.fs_type, self.options, self.path) as tree:
            # A file system of the host's that happens not to be mounted (/boot, say) is not vdsm's.
            owner = os.fstat(tree)
            if owner.st_uid != VDSM_UID:
                raise StageFailed(
                    MOUNT_FAILURE,
                    f"the root of the file system belongs to {owner.st_uid}:{owner.st_gid}, "
                    f"not to vdsm ({VDSM_UID}:{KVM_GID})",
                )
            yield tree


def _block_device(spec: str) -> tuple[str, int]:
    """Return the real path and the number of a device. The links on the way are udev's, root's."""
    try:
        path = os.path.realpath(policy.device_path(spec), strict=True)
        status = Path(path).stat()
    except OSError as error:
        raise InvalidArgument(_FIELD, error.strerror or str(error)) from None
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidArgument(_FIELD, "is not a block device")
    return policy.device_path(path), status.st_rdev


_guard = threading.Lock()
_locks: dict[int, threading.Lock] = {}
"""By device number."""


@contextmanager
def _one_at_a_time(device: int) -> Iterator[None]:
    """Wait for another call that mounts the device: until it ends, it looks like the host's use."""
    served = call.current()
    with _guard:
        lock = _locks.setdefault(device, threading.Lock())
    if not lock.acquire(timeout=served.remaining() if served else -1):
        raise TimedOut(limit=served.limit if served else 0.0)
    try:
        yield
    finally:
        lock.release()


def _refuse_if_in_use(path: str, device: int, data_center: Path) -> None:
    """Refuse a device that the host mounts or holds otherwise: for swap, LVM, RAID.

    The host's table tells where else it is mounted. Ours may show a mount below the data center
    a second time, through /host, below the root of a container that began while it was there.
    """
    on_host = _mount_points(mountinfo.INIT, device)
    seen_here = _mount_points(mountinfo.OURS, device)
    foreign = [point for point in on_host if data_center not in point.parents]
    if not any(data_center in point.parents for point in (*on_host, *seen_here)):
        foreign += seen_here
        if not foreign and _is_held(path):
            raise InvalidArgument(_FIELD, "is in use")
    if foreign:
        raise InvalidArgument(_FIELD, f"is in use: mounted on {foreign[0]}")


def _mount_points(table: Path, device: int) -> list[Path]:
    return sorted(
        Path(mount.mount_point) for mount in mountinfo.read(table) if mount.device == device
    )


def _is_held(path: str) -> bool:
    """Return whether someone holds the device or a part of it (open(2): O_EXCL)."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise InvalidArgument(_FIELD, error.strerror or str(error)) from None
    return False


# --- a directory of the host --------------------------------------------------------------------

_DATA_FILE_SYSTEMS: Final = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "overlay", "tmpfs", "xfs", "zfs"}
)
"""What a directory for a storage domain may be on. In proc, say, some belong to vdsm as well."""

_ATTRIBUTES: Final = {
    "ro": (kernel.MOUNT_ATTR_RDONLY, 0),
    "rw": (0, kernel.MOUNT_ATTR_RDONLY),
    "nosuid": (kernel.MOUNT_ATTR_NOSUID, 0),
    "nodev": (kernel.MOUNT_ATTR_NODEV, 0),
    "noexec": (kernel.MOUNT_ATTR_NOEXEC, 0),
    "noatime": (kernel.MOUNT_ATTR_NOATIME, kernel.MOUNT_ATTR__ATIME),
    "relatime": (0, kernel.MOUNT_ATTR__ATIME),
    "nodiratime": (kernel.MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, kernel.MOUNT_ATTR_NODIRATIME),
}
"""Options of a bind mount as (set, clear) of mount_setattr(2); the rest is what it has anyway."""


@dataclass(frozen=True)
class HostDirectory:
    """A directory of the host, held open: `root` is where on the file system of `device` it is."""

    directory: int
    device: int
    root: str
    options: Sequence[str]

    def is_shown_by(self, mount: Mount) -> bool:
        return (mount.device, mount.root) == (self.device, self.root)

    @contextmanager
    def detached(self) -> Iterator[int]:
        attributes, clear = bind_attributes(self.options)
        try:
            with kernel.cloned_tree(self.directory) as tree:
                kernel.set_attributes(tree, attributes=attributes, clear=clear)
                yield tree
        except OSError as error:
            raise StageFailed(MOUNT_FAILURE, error.strerror or str(error)) from error


def bind_attributes(options: Sequence[str]) -> tuple[int, int]:
    """Return what `options` set and clear, the last word on each counting."""
    attributes = clear = 0
    for option in options:
        sets, clears = _ATTRIBUTES.get(option, (0, 0))
        attributes = (attributes & ~clears) | sets
        clear |= clears
    return attributes, clear


def _host_directory(directory: int, options: Sequence[str]) -> HostDirectory:
    status = os.fstat(directory)
    if (status.st_uid, status.st_gid) != (VDSM_UID, KVM_GID):
        owner = f"{status.st_uid}:{status.st_gid}"
        reason = f"the directory belongs to {owner}, not to vdsm ({VDSM_UID}:{KVM_GID})"
        raise InvalidArgument(_FIELD, reason)
    mount = mountinfo.mount_of(directory, mountinfo.read())
    if mount is None or mount.fs_type not in _DATA_FILE_SYSTEMS:
        raise InvalidArgument(_FIELD, "the directory is not on a file system for data")
    inside = Path(f"/proc/self/fd/{directory}").readlink().relative_to(mount.mount_point)
    return HostDirectory(directory, mount.device, str(Path(mount.root) / inside), options)
