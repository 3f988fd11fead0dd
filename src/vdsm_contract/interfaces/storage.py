# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.storage`: mounts below /rhev/data-center and access checks."""

from vdsm_contract.declare import Interface, per_path, seconds, verb
from vdsm_contract.errors import STORAGE, AccessDenied, MountFailed, UmountFailed


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

    @verb(
        limit=seconds(60),
        errors=(AccessDenied,),
        touches="a child process as the user, below /rhev/data-center",
    )
    def validate_access(
        self, user: str, groups: list[str], target_path: str, perms: int = 7
    ) -> None:
        """Check that `user` with `groups` may read (4), write (2) and search (1) `target_path`."""
