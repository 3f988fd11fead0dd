# SPDX-License-Identifier: GPL-2.0-or-later
"""What the DHCP clients shall do: one file for each device, which supervdsm writes and they read.

The files are on a tmpfs: a reboot forgets them, so that no client starts before the networks are
restored. A client's unit asks for its file (ConditionPathExists=), at each start and at its end: a
client whose file is gone gives its lease back.
"""

import logging
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from supervdsm.network.plan.state import Dhcp
from vdsm_contract import paths

_log = logging.getLogger(__name__)

DIRECTORY: Final = paths.RUN_DIR / "dhcp"
"""Mounted read-only into the clients' containers."""

_WISH: Final = ".json"
_LEAVING: Final = ".leaving"
_TEMPORARY: Final = ".new"


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the client of `device` shall do."""

    device: str
    dhcp: Dhcp


NOTHING: Final = Dhcp(ipv4=False, ipv6=False, default_route=False)
"""The wish of a client that should have ended."""


class Wishes:
    """The files in a directory."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self.directory = directory

    def all(self) -> dict[str, Wish]:
        """Return the wishes by instance, also of clients that are being ended. Raises OSError."""
        found: dict[str, Wish] = {}
        for suffix in (_LEAVING, _WISH):
            for path in sorted(self.directory.glob(f"*{suffix}")):
                try:
                    wish = _read(path)
                except FileNotFoundError:
                    continue
                except ValueError as error:
                    _log.warning("%s is none of ours: %s", path, error)
                    continue
                if suffix == _LEAVING:
                    wish = msgspec.structs.replace(wish, dhcp=NOTHING)
                found[path.name.removesuffix(suffix)] = wish
        return found

    def read(self, instance: str) -> Wish:
        """Return a client's wish. Raises OSError, and ValueError for a file that is not ours."""
        return _read(self._path(instance))

    def exists(self, instance: str) -> bool:
        """Tell whether a client shall run."""
        return self._path(instance).exists()

    def write(self, instance: str, wish: Wish) -> None:
        """Write a client's wish: a reader finds the old one or this one. Raises OSError."""
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = self._path(instance, _TEMPORARY)
        temporary.write_bytes(msgspec.json.encode(wish))
        temporary.rename(self._path(instance))
        self._path(instance, _LEAVING).unlink(missing_ok=True)

    def leave(self, instance: str) -> None:
        """Take a client's wish away, but remember the client until `forget`. Raises OSError."""
        with suppress(FileNotFoundError):
            self._path(instance).rename(self._path(instance, _LEAVING))

    def forget(self, instance: str) -> None:
        """Remove all that is here of a client. Raises OSError."""
        for suffix in (_WISH, _LEAVING, _TEMPORARY):
            self._path(instance, suffix).unlink(missing_ok=True)

    def _path(self, instance: str, suffix: str = _WISH) -> Path:
        return self.directory / f"{instance}{suffix}"


def _read(path: Path) -> Wish:
    return msgspec.json.decode(path.read_bytes(), type=Wish)


_ESCAPED: Final = re.compile(r"[^A-Za-z0-9_.-]|_(?=x)")


def instance_name(device: str) -> str:
    """Return the name of a device's client, as in `vdsm-dhcp@NAME.service`.

    It is the device's name; a byte that may not be part of a unit's and of a container's name is
    written as `_xHH`. (systemd-escape(1) would write `\\x2d` for the minus of `br-1`, and a
    container's name may have no backslash.)
    """
    octets = device.encode().decode("latin-1")
    return _ESCAPED.sub(lambda match: f"_x{ord(match[0]):02x}", octets)
