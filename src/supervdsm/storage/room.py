# SPDX-License-Identifier: GPL-2.0-or-later
"""The room as the contract declares it."""

from pathlib import Path

from supervdsm.storage import access, mount, sanlock_direct, users
from vdsm_contract import asked, paths
from vdsm_contract.interfaces.storage import Storage
from vdsm_contract.types import MountUsers, SanlockDump


class StorageRoom(Storage):
    """Implements the interface below `data_center`, with the host's root tree at `host_root`.

    `run_dir` is the pair's directory below /run, where upgrades read what was asked for.
    """

    def __init__(
        self,
        data_center: Path = paths.DATA_CENTER,
        host_root: Path = paths.HOST_ROOT,
        run_dir: Path = paths.RUN_DIR,
    ) -> None:
        self._data_center = data_center
        self._host_root = host_root
        self._asked = run_dir / asked.FILE_NAME

    def mount(
        self,
        fs_spec: str,
        fs_file: str,
        mnt_opts: str | None = None,
        vfs_type: str | None = None,
    ) -> None:
        mount.mount(
            fs_spec,
            fs_file,
            mnt_opts,
            vfs_type,
            data_center=self._data_center,
            host_root=self._host_root,
        )

    def umount(self, fs_file: str, force: bool = False, lazy: bool = False) -> None:
        mount.umount(
            fs_file, force=force, lazy=lazy, data_center=self._data_center, noted=self._asked
        )

    def fuser(self, fs_file: str) -> MountUsers:
        return MountUsers(users.fuser(fs_file, data_center=self._data_center))

    def validate_access(
        self, user: str, groups: list[str], target_path: str, perms: int = 7
    ) -> None:
        access.validate_access(user, groups, target_path, perms, data_center=self._data_center)

    def sanlock_direct_dump(
        self,
        path: str,
        offset: int = 0,
        size: int | None = None,
        block_size: int = 512,
        alignment: int = 1048576,
    ) -> SanlockDump:
        leases = sanlock_direct.dump(
            path, offset, size, block_size, alignment, data_center=self._data_center
        )
        return SanlockDump(leases)
