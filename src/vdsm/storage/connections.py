# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to storage servers: each is a mount below /rhev/data-center/mnt.

vdsm makes the directory, supervdsm mounts on it and checks who may use what is there. A connection
that fails leaves nothing behind and does not disturb the others of the same call. Connecting what
is connected and disconnecting what is not are no errors: an engine does both to be sure.

Several connections may be of one mount, told apart by their ids: it goes with the last of them.
Whose they are is forgotten when vdsm ends; what was mounted before has no connection but those that
an engine makes anew, and goes with any.
"""

from __future__ import annotations

import errno
import logging
import stat
import threading
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path

from vdsm.host.tree import HostTree
from vdsm.jsonrpc.errors import Code
from vdsm.storage import connection_params, side_by_side
from vdsm.storage.connection_params import NFS_OPTIONS, Mount, Reference
from vdsm.storage.domain_types import DomainType
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.model import BLANK_UUID
from vdsm.storage.mounts import is_mounted
from vdsm.storage.specs import BadConnection
from vdsm_contract.errors import (
    AccessDenied,
    Busy,
    ContractError,
    InvalidArgument,
    MountFailed,
    SupervdsmUnavailable,
    UmountFailed,
)
from vdsm_contract.interfaces import Storage
from vdsm_contract.limits import MAX_CONNECTIONS
from vdsm_contract.paths import MOUNT_DIR

log = logging.getLogger(__name__)

_AT_A_TIME = 8  # of one call, as many connections as a proxy keeps open
_AT_ALL = MAX_CONNECTIONS // 2  # of all calls: the others of a proxy's are for what answers soon
_READ, _WRITE, _SEARCH = 4, 2, 1

# After these nothing is mounted for sure, and there is nothing to take back.
_NOT_MOUNTED = (MountFailed, InvalidArgument, Busy, SupervdsmUnavailable)

# Ids of connections that no engine keeps: it tries one before it has a name for it.
_NOBODY = frozenset({"", BLANK_UUID})

# umount2(2): the target is not a mount point, or is not there.
_NOTHING_THERE = frozenset({errno.EINVAL, errno.ENOENT})


class Status(IntEnum):
    """What became of a connection: oVirt's numbers of storage errors (upstream-vdsm 4)."""

    DONE = 0
    GENERAL = 100
    CONNECT = 451
    DISCONNECT = 452
    ACCESS_DENIED = 469
    MOUNT = Code.STORAGE_SERVER_CONNECTION
    INVALID_PARAMETER = 1000


class Connections:
    """Connects and disconnects storage servers. For any thread."""

    def __init__(
        self,
        storage: Storage,
        tree: HostTree,
        directory: Path = MOUNT_DIR,
        nfs_options: Sequence[str] = NFS_OPTIONS,
        unmounting: Callable[[Path], None] = lambda _target: None,
    ) -> None:
        """`unmounting` is told of each mount just before it goes, so that nobody works on it."""
        self._storage = storage
        self._tree = tree
        self._directory = directory
        self._nfs_options = nfs_options
        self._unmounting = unmounting
        self._targets = KeyedLock()
        self._users: dict[Path, set[str]] = {}  # the ids of each mount; under the target's lock
        self._slots = threading.BoundedSemaphore(_AT_ALL)

    def connect(self, kind: DomainType, references: Sequence[Reference]) -> list[int]:
        """Connects each of `references`; their statuses, in the same order."""
        return self._each(references, lambda one: self._connect(kind, one), Status.CONNECT)

    def disconnect(self, references: Sequence[Reference]) -> list[int]:
        """Disconnects each of `references`; their statuses, in the same order."""
        return self._each(references, self._disconnect, Status.DISCONNECT)

    def _each(
        self,
        references: Sequence[Reference],
        work: Callable[[Reference], None],
        failure: Status,
    ) -> list[int]:
        """Does `work` for several references at a time, since each may wait for a dead server."""
        return side_by_side.each(lambda one: _status(work, one, failure), references, _AT_A_TIME)

    def _connect(self, kind: DomainType, reference: Reference) -> None:
        mount = connection_params.mount(kind, reference, self._directory, self._nfs_options)
        with self._targets.holding(mount.target):
            if is_mounted(self._tree, mount.target):
                # supervdsm refuses it when something else is mounted there.
                self._mount(mount)
            else:
                self._mount_anew(mount)
            if reference.id not in _NOBODY:
                self._users.setdefault(mount.target, set()).add(reference.id)

    def _mount_anew(self, mount: Mount) -> None:
        self._users.pop(mount.target, None)  # of a mount that somebody else took away
        _make_directory(mount)
        try:
            self._mount(mount)
            self._check_access(mount.target)
        except ContractError as error:
            self._take_back(mount.target, mounted=not isinstance(error, _NOT_MOUNTED))
            raise

    def _mount(self, mount: Mount) -> None:
        with self._slots:
            self._storage.mount(mount.spec, str(mount.target), mount.options, mount.vfs_type)

    def _check_access(self, target: Path) -> None:
        """Checks that vdsm can keep a storage domain there and that QEMU can reach the images."""
        check = self._storage.validate_access
        with self._slots:
            check("vdsm", ["kvm"], str(target), _READ | _WRITE | _SEARCH)
            check("qemu", ["qemu", "sanlock"], str(target), _READ | _SEARCH)

    def _take_back(self, target: Path, *, mounted: bool) -> None:
        """Undoes what a failed connection left; its own failure is only logged."""
        try:
            if mounted:
                self._umount(target)
            _remove_directory(target)
        except (ContractError, OSError) as error:
            log.warning("Failed to clean up %s after a failed connection: %s", target, error)

    def _disconnect(self, reference: Reference) -> None:
        target = connection_params.target(reference, self._directory)
        with self._targets.holding(target):
            others = self._users.get(target, set()) - {reference.id}
            mounted = is_mounted(self._tree, target)
            if mounted and others:
                self._users[target] = others
                log.info("%s stays mounted for %d other connections", target, len(others))
                return
            # Only what is not mounted is looked at: a look at a dead server's mount would hang.
            if mounted or _is_directory(target):
                self._unmounting(target)
                self._warn_of_users(target)
                self._umount(target)
                _remove_directory(target)
            self._users.pop(target, None)

    def _warn_of_users(self, target: Path) -> None:
        """Logs who goes on using the mount: it is gone for all others, and for them when they
        end."""
        try:
            with self._slots:
                users = self._storage.fuser(str(target)).pids
        except ContractError as error:
            log.warning("It is not known who uses %s: %s", target, error)
            return
        if users:
            pids = ", ".join(map(str, users))
            log.warning("%s is unmounted while it is used by the processes %s", target, pids)

    def _umount(self, target: Path) -> None:
        """Unmounts, also from a server that is gone and under files that are open."""
        try:
            with self._slots:
                self._storage.umount(str(target), force=True, lazy=True)
        except UmountFailed as error:
            if error.errno not in _NOTHING_THERE:
                raise


def _status(work: Callable[[Reference], None], reference: Reference, failure: Status) -> int:
    """Does `work` for one reference; its status."""
    try:
        work(reference)
    except BadConnection as error:
        return _failed(reference, Status.INVALID_PARAMETER, error)
    except AccessDenied as error:
        return _failed(reference, Status.ACCESS_DENIED, error)
    except InvalidArgument as error:
        # A source that cannot be mounted is oVirt's mount failure, whoever finds out.
        wrong_source = error.field == "fsSpec"
        status = Status.MOUNT if wrong_source else Status.INVALID_PARAMETER
        return _failed(reference, status, error)
    except ContractError as error:
        # A status is oVirt's; JSON-RPC's negative numbers would mean nothing to an engine here.
        return _failed(reference, error.code if error.code > 0 else Status.GENERAL, error)
    except OSError as error:
        return _failed(reference, failure, error)
    return Status.DONE


def _failed(reference: Reference, status: int, error: Exception) -> int:
    log.error(
        "Connection %.100r (id %.100r) failed with status %d: %s",
        reference.connection,
        reference.id,
        status,
        error,
    )
    return int(status)


def _make_directory(mount: Mount) -> None:
    """Makes the mount's directory unless it is there. Raises OSError.

    For a local directory, vdsm from packages makes a symbolic link of this name; it gives way.
    """
    target = mount.target
    if mount.local and target.is_symlink():
        target.unlink()
    try:
        target.mkdir(mode=0o755, parents=True)
    except FileExistsError:
        if not stat.S_ISDIR(target.lstat().st_mode):
            raise
        return
    target.chmod(0o755)  # whatever the umask is: QEMU has to go through


def _is_directory(target: Path) -> bool:
    """Whether `target` is a directory; a link that vdsm from packages left is removed."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        target.unlink()
    return stat.S_ISDIR(mode)


def _remove_directory(target: Path) -> None:
    """Removes the empty directory. Raises OSError when it is not empty."""
    try:
        target.rmdir()
    except FileNotFoundError:
        return
