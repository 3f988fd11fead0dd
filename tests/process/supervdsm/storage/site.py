# SPDX-License-Identifier: GPL-2.0-or-later
"""A host as the storage room sees it, of real mounts in a mount namespace of the test's own."""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supervdsm.storage import mountinfo
from supervdsm.storage.mountinfo import Mount
from supervdsm.storage.room import StorageRoom

_MIB = 1024 * 1024
_SIZES = {"ext4": 16 * _MIB, "xfs": 300 * _MIB}


@dataclass(frozen=True)
class Site:
    """`root` has `host`, the host's tree, and `vdsm`: rhev as vdsm's container sees it."""

    root: Path

    @property
    def host_root(self) -> Path:
        return self.root / "host"

    @property
    def data_center(self) -> Path:
        return self.host_root / "rhev/data-center"

    @property
    def vdsm(self) -> Path:
        return self.root / "vdsm"

    @property
    def room(self) -> StorageRoom:
        return StorageRoom(
            data_center=self.data_center, host_root=self.host_root, run_dir=self.run_dir
        )

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    def make_directories(self) -> None:
        """Make the trees as tmpfiles.d makes them."""
        (self.data_center / "mnt").mkdir(parents=True)
        self.vdsm.mkdir()
        os.chown(self.data_center, 36, 36)
        os.chown(self.data_center / "mnt", 36, 36)

    def mount_trees(self) -> None:
        """Share the tree as the containers do: rshared in supervdsm, rslave in vdsm."""
        rhev = self.host_root / "rhev"
        run("mount", "-n", "--bind", rhev, rhev)
        run("mount", "-n", "--make-shared", rhev)
        run("mount", "-n", "--bind", rhev, self.vdsm)
        run("mount", "-n", "--make-slave", self.vdsm)

    def hide_vdsm(self) -> None:
        """Take vdsm's tree away: a mount in it counts as a mount of the host."""
        run("umount", "-n", self.vdsm)

    def target(self, name: str = "server:_export") -> str:
        """Make a directory to mount on, as vdsm does."""
        path = self.data_center / "mnt" / name
        path.mkdir(exist_ok=True)
        os.chown(path, 36, 36)
        return str(path)

    def seen_by_vdsm(self, target: str) -> Path:
        """Return the path of `target` in vdsm's tree."""
        return self.vdsm / Path(target).relative_to(self.host_root / "rhev")

    def directory(self, name: str = "data", owner: int = 36) -> str:
        """Make a directory of the host for a storage domain; return its path on the host."""
        path = self.host_root / name
        path.mkdir(parents=True)
        os.chown(path, owner, owner)
        return f"/{name}"

    @contextmanager
    def device(self, fs_type: str, owner: int = 36) -> Iterator[str]:
        """Make a file system on a loop device."""
        image = self.root / f"{fs_type}-{owner}.img"
        with image.open("xb") as file:
            file.truncate(_SIZES[fs_type])
        if fs_type == "ext4":
            run("mkfs.ext4", "-q", "-E", f"root_owner={owner}:{owner}", image)
        else:
            prototype = self.root / "prototype"
            prototype.write_text(f"-\n1 1\nd--755 {owner} {owner}\n$\n")
            run("mkfs.xfs", "-q", "-p", prototype, image)
        loop = run("losetup", "--find", "--show", image)
        try:
            yield loop
        finally:
            run("losetup", "--detach", loop)

    def mounts(self, target: str) -> list[Mount]:
        """Return all that is mounted on `target`."""
        return [mount for mount in mountinfo.read() if mount.mount_point == target]

    def mounts_of(self, device: str) -> list[str]:
        """Return where in this namespace a block device is mounted."""
        number = Path(device).stat().st_rdev
        return [mount.mount_point for mount in mountinfo.read() if mount.device == number]

    def replace_mount_command(self, script: str) -> None:
        """Replace mount(8) in this namespace; the script finds the real one at `$REAL`."""
        real = self.root / "mount-real"
        shutil.copy2("/usr/bin/mount", real)
        fake = self.root / "mount-fake"
        fake.write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
        fake.chmod(0o755)
        run("mount", "-n", "--bind", fake, "/usr/bin/mount")


def run(*argv: str | Path) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


def is_held(device: str) -> bool:
    """Return whether a file system or someone else holds a block device."""
    assert stat.S_ISBLK(Path(device).stat().st_mode)
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return True
    return False


def released(device: str, timeout: float = 10) -> bool:
    """Wait for the kernel to let a device go: a namespace ends a little after its last process."""
    end = time.monotonic() + timeout
    while is_held(device):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
