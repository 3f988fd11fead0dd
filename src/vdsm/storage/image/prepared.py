# SPDX-License-Identifier: GPL-2.0-or-later
"""Links of prepared images: /run/vdsm/storage/<domain>/<image> -> the image's directory.

They are on the host's tmpfs: they outlive vdsm, so that machines keep their disks, and a boot
forgets them. Nothing here touches the storage that they point to.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from pathlib import Path

from vdsm.storage import layout
from vdsm_contract.paths import PREPARED_DIR

_DIRECTORY_MODE = 0o755  # qemu goes through it


class PreparedLinks:
    """Makes and removes the links. For any thread."""

    def __init__(self, root: Path = PREPARED_DIR) -> None:
        self._root = root
        # A domain's directory goes with its last link, not while another one is made.
        self._lock = threading.Lock()

    def path(self, domain: str, image: str) -> Path:
        """Where the link of an image is, or would be."""
        return layout.prepared_image(domain, image, self._root)

    def make(self, domain: str, image: str, target: Path) -> Path:
        """The link of an image, which points to `target` from now on. Raises OSError."""
        link = self.path(domain, image)
        with self._lock:
            if self.target(domain, image) == target:
                return link
            link.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            fresh = link.with_name(f".{image}.{uuid.uuid4()}")
            fresh.symlink_to(target)
            try:
                fresh.replace(link)
            except OSError:
                fresh.unlink()
                raise
        return link

    def target(self, domain: str, image: str) -> Path | None:
        """What the link of an image points to; None when there is none."""
        try:
            return self.path(domain, image).readlink()
        except FileNotFoundError:
            return None

    def remove(self, domain: str, image: str) -> bool:
        """Removes the link; False when there was none. Raises OSError."""
        link = self.path(domain, image)
        with self._lock:
            try:
                link.unlink()
            except FileNotFoundError:
                return False
            with suppress(OSError):  # other images of the domain are prepared
                link.parent.rmdir()
        return True
