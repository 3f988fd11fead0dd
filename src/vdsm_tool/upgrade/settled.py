# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether networks that were changed during an upgrade are as supervdsm is told to have them.

What such a change may touch is not compared with how it was: it was to become another. So the
kernel is compared with the running configuration, by supervdsm's own plan: nothing may be left to
do. A plan asks for nothing that DHCP gives; so a network with DHCP that had an address must have
one, and a default route likewise.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from vdsm_contract.paths import STATE_DIR, SUPERVDSM_SOCKET
from vdsm_tool.host import Host
from vdsm_tool.net import ask, stored
from vdsm_tool.net.stored import Attributes, Configuration
from vdsm_tool.upgrade.snapshot import Snapshot

_ADDRESS: Final = re.compile(r"address (\S+) on (\S+)$")
_DEFAULT_ROUTE: Final = re.compile(r"route to (0\.0\.0\.0/0|::/0) .*\btable 254$")
_ON: Final = re.compile(r"\bon (\S+)")


def undone(devices: Collection[str], before: Snapshot, after: Snapshot, host: Host) -> list[str]:
    """Return a sentence for what is still to be done for the networks and bonds on `devices`, and
    for what DHCP no longer gives to these networks.

    Raises OSError when the configuration cannot be read, ToolError when supervdsm does not say.
    """
    networks, bonds = concerned(devices, stored.running(host.path(STATE_DIR)))
    if not networks and not bonds:
        return []
    with ask.network(SUPERVDSM_SOCKET) as room:
        plan = room.plan_networks(dict(networks), dict(bonds), {})
    left = [f"Of a change of networks is left to do: {words}" for words in plan.operations]
    return [*left, *unlearned(networks, before.networks, after.networks)]


def unlearned(
    networks: Mapping[str, Attributes], before: Collection[str], after: Collection[str]
) -> Iterator[str]:
    """Give a sentence for each address and default route that a network with DHCP had, and of which
    it has none now. `before` and `after` are lines of snapshots."""
    had, has = _learned(before), _learned(after)
    for name, attributes in sorted(networks.items()):
        versions = [
            version
            for version, on in (
                (4, attributes.get("bootproto") == "dhcp"),
                (6, attributes.get("dhcpv6") is True),
            )
            if on
        ]
        things = ["address"]
        things += ["default route"] if attributes.get("defaultRoute") is True else []
        below = _southbound(name, attributes)
        device = name if attributes.get("bridged", True) else below
        for thing in things:
            for version in versions:
                # It may have got or lost its bridge.
                had_one = any((thing, version, one) in had for one in (name, below))
                if had_one and (thing, version, device) not in has:
                    yield f"The network {name} had an IPv{version} {thing}, and DHCP gives it none"


def _learned(lines: Collection[str]) -> set[tuple[str, int, str]]:
    """Return which devices have an address or a default route, by its IP version."""
    found = set()
    for line in lines:
        if address := _ADDRESS.match(line):
            found.add(("address", _version(address[1]), address[2]))
        elif route := _DEFAULT_ROUTE.match(line):
            found |= {("default route", _version(route[1]), name) for name in _ON.findall(line)}
    return found


def _version(cidr: str) -> int:
    return 6 if ":" in cidr else 4


def _southbound(name: str, attributes: Attributes) -> str:
    """Return the device below a network's bridge, or the one that is the network without one."""
    base = attributes.get("nic") or attributes.get("bonding")
    vlan = attributes.get("vlan")
    if not base:
        return name
    return str(base) if vlan is None else f"{base}.{vlan}"


def concerned(
    devices: Collection[str], running: Configuration
) -> tuple[dict[str, Attributes], dict[str, Attributes]]:
    """Return the networks and bonds of a configuration that have one of `devices`."""
    networks: dict[str, Attributes] = {}
    bonds: dict[str, Attributes] = {}
    for (kind, name), attributes in running.items():
        if kind == "network" and {name, attributes.get("nic"), attributes.get("bonding")} & {
            *devices
        }:
            networks[name] = attributes
        nics = attributes.get("nics")
        if kind == "bond" and {name, *(nics if isinstance(nics, list) else ())} & {*devices}:
            bonds[name] = attributes
    return networks, bonds
