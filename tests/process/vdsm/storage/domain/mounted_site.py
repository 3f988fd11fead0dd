# SPDX-License-Identifier: GPL-2.0-or-later
"""Mounts for storage domains, in the mount namespace of the caller."""

from __future__ import annotations

import subprocess
from pathlib import Path

from storage.domain_site import DomainSite


class MountedSite(DomainSite):
    """A site whose mounts are small tmpfs."""

    def small(self, spec: str = "/data", size: str = "1m") -> Path:
        """Mounts a file system of so many bytes."""
        path = self.path(spec)
        path.mkdir()
        run("mount", "-n", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", path)
        return self.mount(spec)

    def fill(self, mount: Path) -> Path:
        """Leaves no byte free; the file that does."""
        filler = mount / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return filler

    @staticmethod
    def read_only(mount: Path) -> None:
        run("mount", "-n", "-o", "remount,ro", mount)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=60)
