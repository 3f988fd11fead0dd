# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.storage`: mounts below /rhev/data-center, access checks, and the leases in
files there."""

from vdsm_contract.declare import Interface, per_path, seconds, verb
from vdsm_contract.errors import (
    STORAGE,
    AccessDenied,
    MountFailed,
    SanlockDumpFailed,
    UmountFailed,
)
from vdsm_contract.types import MountUsers, SanlockDump


class Storage(Interface, name=STORAGE):
    """What of storage needs root."""

    @verb(
        limit=seconds(120),
        lock=per_path("fs_file"),
        errors=(MountFailed,),
        # Options of other file systems carry passwords; they are refused, but were said.
        secret=("mnt_opts",),
        touches="mounts a file system below /rhev/data-center",
    )
    def mount(
        self,
        fs_spec: str,
        fs_file: str,
        mnt_opts: str | None = None,
        vfs_type: str | None = None,
    ) -> None:
        """Mount `fs_spec` on the directory `fs_file`.

        `vfs_type` is nfs, nfs4, ext4 or xfs, or none for a directory of the host that belongs to
        vdsm (a bind mount). `mnt_opts` are mount(8)'s, from an allow-list; nosuid, nodev and
        noexec are always added. A target that is already a mount of the same source stays as it is.
        """

    @verb(
        limit=seconds(60),
        lock=per_path("fs_file"),
        errors=(UmountFailed,),
        touches="unmounts below /rhev/data-center",
    )
    def umount(self, fs_file: str, force: bool = False, lazy: bool = False) -> None:
        """Unmount what is mounted on `fs_file`."""

    @verb(limit=seconds(30), touches="reads /proc")
    def fuser(self, fs_file: str) -> MountUsers:
        """Tell which processes have files of the mount on `fs_file` open, or are in it. The
        mount itself is not touched."""

    @verb(
        limit=seconds(60),
        errors=(AccessDenied,),
        touches="a child process as the user, below /rhev/data-center",
    )
    def validate_access(
        self, user: str, groups: list[str], target_path: str, perms: int = 7
    ) -> None:
        """Check that `user` with `groups` may read (4), write (2) and search (1) `target_path`."""

    @verb(
        limit=seconds(60),
        errors=(SanlockDumpFailed,),
        touches="a child process as vdsm's user, below /rhev/data-center",
    )
    def sanlock_direct_dump(
        self,
        path: str,
        offset: int = 0,
        size: int | None = None,
        block_size: int = 512,
        alignment: int = 1048576,
    ) -> SanlockDump:
        """Read the leases in `size` bytes from `offset` (none: one alignment) of the file `path`.

        All in bytes. `block_size` is 512 or 4096, `alignment` 1, 2, 4 or 8 MiB, both those of the
        storage domain; `offset` and `size` are multiples of the alignment.
        """
