# SPDX-License-Identifier: GPL-2.0-or-later
"""What the DHCP clients were told: one file for each, which its hook writes and supervdsm reads.

On a tmpfs, for a lease says nothing after a reboot. What is in a file came over the network, and
the client that wrote it may have been taken over: only addresses are taken out of it, and neither a
link nor a FIFO in its place leads or holds supervdsm.
"""

import ipaddress
import re
from pathlib import Path
from typing import Final

import msgspec

from supervdsm.network.transaction import durable
from vdsm_contract import paths

DIRECTORY: Final = paths.RUN_DIR / "leases"
"""Mounted into the clients' containers, to be written."""

SUFFIX: Final = ".json"
_TEMPORARY: Final = ".new"
_MOST: Final = 64 * 1024
"""Bytes of a file."""
_VISIBLE: Final = re.compile(r"[!-~]{1,64}")
"""What an address is made of. Python takes anything, line ends too, for the zone behind a %."""


class Lease(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a server told for one IP version; a client without a lease has none of it."""

    address: str = ""
    """CIDR notation."""
    gateway: str = ""
    nameservers: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Both versions of a client."""

    ipv4: Lease = Lease()
    ipv6: Lease = Lease()

    @property
    def nameservers(self) -> tuple[str, ...]:
        """Those of both, each once."""
        return tuple(dict.fromkeys((*self.ipv4.nameservers, *self.ipv6.nameservers)))


class Leases:
    """The files in a directory."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self.directory = directory

    def read(self, instance: str) -> Told:
        """Return what a client was told; nothing when there is no file that can be read."""
        try:
            content = durable.read(self._path(instance), most=_MOST)
            told = msgspec.json.decode(content, type=Told)
        except (OSError, ValueError, RecursionError):
            return Told()
        return Told(ipv4=_checked(told.ipv4, 4), ipv6=_checked(told.ipv6, 6))

    def write(self, instance: str, told: Told) -> None:
        """Write it, unless it is there already. Raises OSError."""
        if self.read(instance) == told and self._path(instance).exists():
            return
        temporary = self.directory / f"{instance}{_TEMPORARY}"
        temporary.write_bytes(msgspec.json.encode(told))
        temporary.rename(self._path(instance))

    def forget(self, instance: str) -> None:
        """Remove it. Raises OSError."""
        for suffix in (SUFFIX, _TEMPORARY):
            (self.directory / f"{instance}{suffix}").unlink(missing_ok=True)

    def _path(self, instance: str) -> Path:
        return self.directory / f"{instance}{SUFFIX}"


def addresses(text: str, version: int) -> tuple[str, ...]:
    """Return the addresses of one IP version among the words of `text`, each once."""
    return tuple(dict.fromkeys(word for word in text.split() if _is_address(word, version)))


def _checked(lease: Lease, version: int) -> Lease:
    address, gateway = lease.address, lease.gateway
    return Lease(
        address=address if _is_interface(address, version) else "",
        gateway=gateway if _is_address(gateway, version) else "",
        nameservers=addresses(" ".join(lease.nameservers), version),
    )


def _is_address(text: str, version: int) -> bool:
    try:
        return bool(_VISIBLE.fullmatch(text)) and ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _is_interface(text: str, version: int) -> bool:
    try:
        return bool(_VISIBLE.fullmatch(text)) and ipaddress.ip_interface(text).version == version
    except ValueError:
        return False
