# SPDX-License-Identifier: GPL-2.0-or-later
"""The links of a connected pool: /rhev/data-center/<pool>/<domain> and `mastersd`.

They are on the host's own file system. Nothing here follows one, so that no dead server is waited
for. Only one pool is connected, so the links of any other are of a former life and are removed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from vdsm.storage import layout
from vdsm.storage.model import is_uuid
from vdsm_contract.paths import DATA_CENTER

log = logging.getLogger(__name__)


class Links:
    """The links below one root. One thread at a time works on a pool."""

    def __init__(self, root: Path = DATA_CENTER) -> None:
        self._root = root

    def refresh(self, pool: str, domains: Mapping[str, Path], master: str) -> None:
        """Makes the pool's directory hold links to exactly these domains, and to the master.
        Raises OSError."""
        self._remove_others(pool)
        directory = layout.pool(pool, self._root)
        directory.mkdir(mode=layout.DIRECTORY_MODE, parents=True, exist_ok=True)
        wanted = dict(domains)
        wanted[layout.MASTER_LINK] = domains[master]
        for name in _names(directory):
            if name not in wanted and _is_ours(name):
                _remove(directory / name)
        for name, target in wanted.items():
            self._link(directory / name, target)

    def add(self, pool: str, domain: str, path: Path) -> None:
        """Links one more domain. Raises OSError."""
        self._link(layout.domain_link(pool, domain, self._root), path)

    def drop(self, pool: str, domain: str) -> None:
        """Removes a domain's link, if there is one."""
        _remove(layout.domain_link(pool, domain, self._root))

    def remove(self, pool: str) -> None:
        """Removes the pool's directory with its links."""
        directory = layout.pool(pool, self._root)
        for name in _names(directory):
            _remove(directory / name)
        try:
            directory.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("Failed to remove %s: %s", directory, error)

    def _remove_others(self, pool: str) -> None:
        for name in _names(self._root):
            if name == pool:
                continue
            path = self._root / name
            if path.is_symlink():
                if _is_ours(name):  # a link that was not yet renamed to its place
                    _remove(path)
            elif is_uuid(name):
                self.remove(name)

    def _link(self, path: Path, target: Path) -> None:
        """Makes a link, or turns it, in one step: who goes through it finds one or the other."""
        try:
            if path.readlink() == target:
                return
        except FileNotFoundError:
            pass
        new = self._root / str(uuid4())
        new.symlink_to(target)
        try:
            new.rename(path)
        except OSError:
            _remove(new)
            raise


def _is_ours(name: str) -> bool:
    return is_uuid(name) or name == layout.MASTER_LINK


def _names(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []


def _remove(path: Path) -> None:
    """Removes a link; anything else is not ours, and stays."""
    try:
        if path.is_symlink():
            path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("Failed to remove %s: %s", path, error)
