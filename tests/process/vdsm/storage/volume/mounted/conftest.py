# SPDX-License-Identifier: GPL-2.0-or-later
"""Every test here runs in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from process.vdsm.storage.domain.conftest import pytest_pyfunc_call
from storage.volume_site import VolumeSite
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.volume.qemu_img import QemuImg

__all__ = ["pytest_pyfunc_call"]


class MountedVolumes(VolumeSite):
    """Volumes on a file system of 8 MiB, once it is mounted."""

    @property
    def images(self) -> Path:
        return self.path_of_domain / "images"

    def mount_small(self) -> None:
        run("mount", "-n", "-t", "tmpfs", "-o", "size=8m,mode=755", "none", self.images)

    def make_read_only(self) -> None:
        run("mount", "-n", "-o", "remount,ro", self.images)

    def fill(self) -> Path:
        """Leaves no byte free; the file that does."""
        filler = self.images / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return filler


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[], MountedVolumes]]:
    """Makes the site: to be called by the test, so that the workers are in its namespace."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a mount namespace")
    filesystems = WorkerFileSystems()

    def make() -> MountedVolumes:
        site = MountedVolumes(tmp_path, filesystems, QemuImg(timeout_s=120))
        site.mount_small()
        return site

    yield make
    filesystems.close()


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=60)
