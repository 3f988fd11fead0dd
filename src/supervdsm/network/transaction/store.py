# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration on disk, in oVirt's layout (upstream-vdsm 3.6), switched as a whole.

`staging/netconf` (what runs) and `persistence/netconf` (what a boot restores) are links to a tree
`netconf.XXXXXXXX` beside them: `nets/`, `bonds/` and `devices/`, one JSON file for each name. A new
configuration is a new tree, written and flushed before the link is switched by one rename. The old
tree stays until the next one is written, for those who read it at that moment.

A change that is to last switches two links, the running configuration's first. Its two trees have
one name: should it be cut off between the two, and its journal be spoilt besides, the trees
themselves say that the second is still to be switched (`complete`).

What is read may have been written by oVirt's own vdsm, by an operator, or by a disk that lies: a
file that is not root's, not a plain file or not understood is left out, and the log says so.
"""

import logging
import re
import secrets
import shutil
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from supervdsm.common.text import quote
from supervdsm.network.config import Bond, Configuration, Device, Network
from supervdsm.network.request import attributes
from supervdsm.network.transaction import durable
from vdsm_contract.errors import NetworkConfigError

_log: Final = logging.getLogger(__name__)
_Entity = TypeVar("_Entity", Network, Bond, Device)

Which = Literal["staging", "persistence"]
RUNNING: Final = "staging"
PERSISTENT: Final = "persistence"
KINDS: Final = ("nets", "bonds", "devices")
_LINK: Final = "netconf"
_TREE: Final = re.compile(r"netconf\.[A-Za-z0-9]{8}(\.ln)?")
_ALPHABET: Final = string.ascii_letters + string.digits
_MOST: Final = 64 * 1024
"""Bytes of a file."""
_MOST_FILES: Final = 20_000
_RETRIES: Final = 5

Files = Mapping[str, Mapping[str, bytes]]
"""The contents of a tree: by kind, by name."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What changes when a tree is replaced, or a file in it is."""

    link: str
    files: tuple[tuple[str, str, int, int, int], ...]


class Store:
    """Both configurations below `state_dir`. Any number of threads may read, one may write."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._known: dict[str, tuple[_Stamp, Configuration]] = {}

    def running(self) -> Configuration:
        """Return the configuration that runs; empty, and logged, when it cannot be read."""
        return self._tolerant(RUNNING)

    def persistent(self) -> Configuration:
        """Return the configuration that a boot restores; empty, and logged, as above."""
        return self._tolerant(PERSISTENT)

    def load(self, which: Which) -> Configuration:
        """Return a configuration; empty when it was never written. Raises OSError when it cannot be
        read as a whole: a change must not start from nothing then."""
        known = self._known.get(which)
        if known is not None and known[0] == self._stamp(which):
            return known[1]
        for _ in range(_RETRIES):
            before = self._stamp(which)
            _files, configuration = self._read(which)
            if before == self._stamp(which):
                if before is not None:
                    self._known[which] = before, configuration
                break
            # Replaced while we read: the old tree may have lost files under our hands.
        return configuration

    def beside(self, which: Which) -> Configuration:
        """Return all that is in trees that are not in use: what came before, or was to come. Raises
        OSError."""
        found = Configuration()
        in_use = self._in_use(which)
        for path in sorted((self._state_dir / which).glob(f"{_LINK}.*")):
            if _TREE.fullmatch(path.name) and path.name != in_use and not path.is_symlink():
                _files, more = self._read(which, path.name)
                found = Configuration(
                    {**found.networks, **more.networks}, {**found.bonds, **more.bonds}
                )
        return found

    def prepare(self, which: Which, configuration: Configuration, name: str = "") -> str:
        """Write a tree beside the one in use, and return its name: `name`, of `new_name`, or one
        of its own. Raises OSError, ValueError."""
        return self._prepare(which, encode(configuration), name or new_name())

    def switch(self, which: Which, tree: str) -> None:
        """Put a prepared tree into use; it may be already. Raises OSError."""
        link = self._state_dir / which / _LINK
        if not (link.parent / tree).is_dir():
            raise FileNotFoundError(2, "No such tree", str(link.parent / tree))
        if self._in_use(which) != tree:
            durable.switch_link(link, tree)

    def complete(self) -> None:
        """End the commit of a change that was cut off between its two switches: then the running
        configuration's tree has a twin that is not yet the persistent one.

        Only while there is a journal, whatever is in it: before it was written all other trees were
        removed. Does nothing when there is no such twin. Raises OSError.
        """
        tree = self._in_use(RUNNING)
        parent = self._state_dir / PERSISTENT
        twin = parent / tree
        if not _TREE.fullmatch(tree) or twin.is_symlink() or not twin.is_dir():
            return
        if self._in_use(PERSISTENT) != tree:
            with durable.opened(parent) as fd:
                durable.require_root_s(fd, str(parent))
            self.switch(PERSISTENT, tree)
            _log.warning("A commit was cut off: the running configuration is persistent now, too")

    def save(self, which: Which, configuration: Configuration) -> None:
        """Replace a configuration. Raises OSError."""
        self.switch(which, self.prepare(which, configuration))

    def persist(self) -> None:
        """Make the running configuration the persistent one, file by file as they are, so that
        what somebody else wrote stays the same on both sides. Raises OSError."""
        files, _configuration = self._read(RUNNING)
        self.switch(PERSISTENT, self._prepare(PERSISTENT, files, new_name()))

    def collect(self, keep: Iterable[str] = ()) -> None:
        """Remove trees that are not in use, but for those named. Failures are logged."""
        spared = set(keep)
        for which in (RUNNING, PERSISTENT):
            self._collect(which, spared)

    def _collect(self, which: str, spared: set[str]) -> None:
        try:
            found = list((self._state_dir / which).iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("Old configurations stay: %s", error)
            return
        in_use = self._in_use(which)
        for path in found:
            if not _TREE.fullmatch(path.name) or path.name in {in_use, *spared}:
                continue
            try:
                if path.is_symlink():
                    path.unlink()
                else:
                    shutil.rmtree(path)
            except OSError as error:
                _log.warning("An old configuration stays: %s", error)

    def _prepare(self, which: Which, files: Files, name: str) -> str:
        parent = self._state_dir / which
        durable.make_directory(parent, 0o755)
        with durable.opened(parent) as fd:
            durable.require_root_s(fd, str(parent))
        self._collect(which, set())
        tree = parent / name
        try:
            tree.mkdir()
            tree.chmod(0o755)
            for kind in KINDS:
                durable.write_all(tree / kind, sorted(files.get(kind, {}).items()))
            durable.flush_directory(tree)
            durable.flush_directory(parent)
        except OSError:
            shutil.rmtree(tree, ignore_errors=True)
            raise
        return name

    def _in_use(self, which: str) -> str:
        """Return the name of the tree in use; empty when there is none, or a plain directory."""
        try:
            return Path(self._state_dir / which / _LINK).readlink().name
        except OSError:
            return ""

    def _tolerant(self, which: Which) -> Configuration:
        try:
            return self.load(which)
        except OSError as error:
            _log.error("The configuration in %s is left out: %s", self._state_dir / which, error)
            return Configuration()

    def _stamp(self, which: str) -> _Stamp | None:
        tree = self._state_dir / which / (self._in_use(which) or _LINK)
        found = []
        for kind in KINDS:
            try:
                for path in (tree / kind).iterdir():
                    status = path.lstat()
                    found.append(
                        (kind, path.name, status.st_ino, status.st_mtime_ns, status.st_size)
                    )
            except FileNotFoundError:
                continue
            except OSError:
                return None
        return _Stamp(str(tree), tuple(sorted(found)))

    def _read(self, which: Which, tree: str = "") -> tuple[Files, Configuration]:
        """Return the files that are understood, and what they mean: of a tree by its name, or of
        the one in use."""
        parent = self._state_dir / which
        files: dict[str, dict[str, bytes]] = {kind: {} for kind in KINDS}
        networks: dict[str, Network] = {}
        bonds: dict[str, Bond] = {}
        devices: dict[str, Device] = {}
        try:
            with durable.opened(parent) as above:
                durable.require_root_s(above, str(parent))
                # The link's last word alone: a tree stands nowhere but beside its link.
                with durable.opened(tree or self._in_use(which) or _LINK, above) as top:
                    durable.require_root_s(top, f"{parent}/{_LINK}")
                    _read_kind(top, "nets", files, networks, attributes.network_of)
                    _read_kind(top, "bonds", files, bonds, attributes.bond_of)
                    _read_kind(top, "devices", files, devices, attributes.device_of)
        except FileNotFoundError:
            pass  # never written
        return files, Configuration(networks, bonds, devices)


def new_name() -> str:
    """Return the name of a tree that was never used."""
    return f"{_LINK}.{''.join(secrets.choice(_ALPHABET) for _ in range(8))}"


def encode(configuration: Configuration) -> Files:
    """Return the files of a configuration. Raises ValueError when a name can be no file's."""
    return {
        "nets": _encode(configuration.networks, attributes.attributes),
        "bonds": _encode(configuration.bonds, attributes.bond_attributes),
        "devices": _encode(configuration.devices, attributes.device_attributes),
    }


def _encode(
    entities: Mapping[str, _Entity], encoder: Callable[[_Entity], dict[str, object]]
) -> dict[str, bytes]:
    for name in entities:
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise ValueError(f"{name!r} can be no file's name")
    return {
        name: msgspec.json.format(msgspec.json.encode(encoder(entity)), indent=4)
        for name, entity in entities.items()
    }


def _read_kind(
    tree: int,
    kind: str,
    files: dict[str, dict[str, bytes]],
    entities: dict[str, _Entity],
    decoder: Callable[[str, object], tuple[_Entity, tuple[str, ...]]],
) -> None:
    try:
        with durable.opened(kind, tree) as directory:
            durable.require_root_s(directory, kind)
            for name in durable.names(directory)[:_MOST_FILES]:
                try:
                    name.encode()
                    content = durable.read(name, directory, most=_MOST)
                    entities[name], unknown = decoder(name, msgspec.json.decode(content))
                    files[kind][name] = content
                except (OSError, ValueError, RecursionError, NetworkConfigError) as error:
                    _log.error("%s/%s is left out: %s", kind, quote(name, 256), error)
                else:
                    if unknown:
                        _log.warning("%s/%s: not known: %s", kind, name, ", ".join(unknown))
    except FileNotFoundError:
        return  # a tree of before that kind was invented
