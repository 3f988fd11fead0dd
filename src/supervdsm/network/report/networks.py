# SPDX-License-Identifier: GPL-2.0-or-later
"""The networks that vdsm has set up: oVirt's running configuration.

`<state>/staging/netconf/nets/<network>` is a JSON file with the network's canonical attributes;
`netconf` may be a link to a directory. vdsm may write there, so a file is trusted with nothing but
its own network.
"""

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

_log = logging.getLogger(__name__)

_MAX_BYTES: Final = 64 * 1024


class _Attributes(msgspec.Struct):
    """The attributes that are used here; the others of the file are skipped."""

    nic: str | None = None
    bonding: str | None = None
    vlan: int | None = None
    bridged: bool = True
    switch: str = "legacy"


@dataclass(frozen=True, slots=True)
class RunningNetwork:
    """A network as it was set up. `base` is its NIC or bond, empty when it has none."""

    name: str
    base: str = ""
    vlan: int | None = None
    bridged: bool = True
    switch: str = "legacy"

    @property
    def southbound(self) -> str:
        """The device that carries its frames: the VLAN, NIC or bond, or the bridge itself."""
        if not self.base:
            return self.name
        return self.base if self.vlan is None else f"{self.base}.{self.vlan}"

    @property
    def iface(self) -> str:
        """The device that has its addresses."""
        return self.name if self.bridged else self.southbound


def running(state_dir: Path) -> list[RunningNetwork]:
    """Read all networks, sorted by name; empty when none was ever set up.

    A file that cannot be read or is no network's is logged by its name and left out.
    """
    directory = state_dir / "staging/netconf/nets"
    try:
        files = sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        _log.warning("Networks left out: %s", error)
        return []
    networks = []
    for file in files:
        try:
            networks.append(parse(file.name, _read(file)))
        except (OSError, ValueError) as error:
            _log.warning("Network left out: %s: %s", file, error)
    return networks


def parse(name: str, text: bytes) -> RunningNetwork:
    """Decode a network's file. Raises ValueError. When both are named, nic wins over bonding."""
    attributes = msgspec.json.decode(text, type=_Attributes, strict=False)
    return RunningNetwork(
        name=name,
        base=attributes.nic or attributes.bonding or "",
        vlan=attributes.vlan,
        bridged=attributes.bridged,
        switch=attributes.switch,
    )


def _read(file: Path) -> bytes:
    # O_NONBLOCK: a FIFO planted in a file's place must not hold the call.
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("not a regular file")
        content = stream.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(f"larger than {_MAX_BYTES} bytes")
    return content
