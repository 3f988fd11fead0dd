# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be the same after an upgrade: networks and mounts, as the kernel has them.

Each thing is a line of text, "KEY: DETAILS" or only "KEY". The lines are written by one release
and may be compared by another one, when an upgrade is undone, so a change of their form needs
another FORMAT. What comes to a host during the upgrade is no matter; what goes is, unless a client
of vdsm asked for that (`vdsm_contract.asked`).
"""

import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from vdsm_contract.asked import Asked
from vdsm_contract.paths import DATA_CENTER
from vdsm_tool.errors import UNKNOWN, ToolError
from vdsm_tool.host import Host, Mount

FORMAT: Final = 1
_DHCP_CLIENTS: Final = "vdsm-dhcp@"
_BELOW: Final = DATA_CENTER.parent
_ITSELF: Final = re.compile(r"(?:link|DHCP client of) ([^\s:]+)")
"""A line about a device. What it is a port of, or a VLAN on, it outlives: a change that touches it
names it, too."""
_ON: Final = re.compile(r"\bon ([^\s:]+)")
"""Where another line names the device that it goes with."""
_RULE: Final = re.compile(r"rule 3200 of IPv[46] (?:.* )?to table (\d+)$")
"""A rule of source routing: supervdsm touches those of this priority alone (upstream-vdsm 3.5)."""
_IIF: Final = re.compile(r"\biif (\S+)")

NOTHING: Final = Asked()


class Snapshot(Struct, frozen=True):
    """Lines that each name one thing, for example "mount of nfs1:/data on /rhev/…: nfs4, rw"."""

    mounts: list[str]
    networks: list[str]
    format: int = FORMAT


def take(host: Host) -> Snapshot:
    """Look at the host. Raises ToolError when the kernel or systemd cannot be asked."""
    # Slow to import (pyroute2): the command line needs this module for its types alone.
    from vdsm_tool.fitness.network_owners import configured_nics
    from vdsm_tool.upgrade import networks

    try:
        mounts = sorted(_mount_lines(host.mounts()))
        kernel = networks.read()
        lines = networks.lines(kernel, configured_nics(host))
    except OSError as error:
        raise ToolError(f"The kernel cannot be asked: {error}", status=UNKNOWN) from error
    return Snapshot(mounts, sorted([*lines, *_dhcp_lines(host)]))


def comparable(before: Snapshot) -> bool:
    """Return whether this release understands the lines of `before`."""
    return before.format == FORMAT


class Missing(NamedTuple):
    """Sentences for what is gone or differs: what nobody asked for, and what somebody did."""

    lost: list[str]
    mounts: list[str]
    """Unmounted as asked."""
    networks: list[str]
    """Of devices that a change which was asked for may touch; whether it is as it shall be, the
    lines do not tell."""


def missing(before: Snapshot, after: Snapshot, asked: Asked = NOTHING) -> Missing:
    """Return what of `before` is gone or differs in `after`."""
    found = Missing([], [], [])
    for line, sentence in _missing(before.mounts, after.mounts):
        (found.mounts if _unmounted(line, asked.mounts) else found.lost).append(sentence)
    tables = {_source_table(name) for name in asked.devices}
    for line, sentence in _missing(before.networks, after.networks):
        (found.networks if _touched(line, asked, tables) else found.lost).append(sentence)
    return found


def _unmounted(line: str, targets: Collection[str]) -> bool:
    """Return whether the mount of `line` was on one of `targets`, or below it: a lazy unmount takes
    these along."""
    key, _ = _split(line)
    return any(key.endswith(f" on {target}") or f" on {target}/" in key for target in targets)


def _touched(line: str, asked: Asked, tables: Collection[int]) -> bool:
    """Return whether what was asked for could take away what `line` says; `tables` are the routing
    tables of its devices."""
    if line.startswith("rule "):
        rule = _RULE.match(line)
        return rule is not None and (
            int(rule[1]) in tables or not asked.devices.isdisjoint(_IIF.findall(line))
        )
    itself = _ITSELF.match(line)
    names = [itself[1]] if itself else _ON.findall(line)
    return not asked.devices.isdisjoint(names) or any(
        line.startswith(f"shaping on {bridge}: clsact ") for bridge in asked.mirrored
    )


def _source_table(device: str) -> int:
    """Return the number of the table that oVirt gives to a device's source routes (upstream-vdsm
    3.5)."""
    return zlib.adler32(device.encode())


def _missing(before: Iterable[str], after: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give each line that is gone, with its sentence."""
    lost = Counter(before) - Counter(after)
    new = dict(_split(line) for line in (Counter(after) - Counter(before)))
    for line in sorted(lost.elements()):
        key, details = _split(line)
        if key in new:
            yield line, f"The {key} changed from “{details}” to “{new[key]}”"
        else:
            yield line, f"The {line} is gone"


def _split(line: str) -> tuple[str, str]:
    key, colon, details = line.rpartition(": ")
    return (key, details) if colon else (line, "")


def _mount_lines(mounts: Iterable[Mount]) -> Iterator[str]:
    for mount in mounts:
        if mount.target.is_relative_to(_BELOW):
            access = "ro" if mount.read_only else "rw"
            yield f"mount of {mount.source} on {mount.target}: {mount.fstype}, {access}"


def _dhcp_lines(host: Host) -> Iterator[str]:
    """Give the DHCP clients that run, by the instance of their unit."""
    options = ["--plain", "--no-legend", "--full", "--state=active", "--type=service"]
    text = host.run(["systemctl", "list-units", *options, f"{_DHCP_CLIENTS}*"])
    for line in text.splitlines():
        if line.strip():
            unit = Path(line.split()[0]).stem
            yield f"DHCP client of {unit.removeprefix(_DHCP_CLIENTS)}"
