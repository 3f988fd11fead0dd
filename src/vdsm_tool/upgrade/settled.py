# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether networks that were changed during an upgrade are as supervdsm is told to have them.

What such a change may touch is not compared with how it was: it was to become another. So the
kernel is compared with the running configuration, by supervdsm's own plan: nothing may be left to
do.
"""

from collections.abc import Collection

from vdsm_contract.paths import STATE_DIR, SUPERVDSM_SOCKET
from vdsm_tool.host import Host
from vdsm_tool.net import ask, stored
from vdsm_tool.net.stored import Attributes, Configuration


def undone(devices: Collection[str], host: Host) -> list[str]:
    """Return a sentence for what is still to be done for the networks and bonds on `devices`.

    Raises OSError when the configuration cannot be read, ToolError when supervdsm does not say.
    """
    networks, bonds = concerned(devices, stored.running(host.path(STATE_DIR)))
    if not networks and not bonds:
        return []
    with ask.network(SUPERVDSM_SOCKET) as room:
        plan = room.plan_networks(dict(networks), dict(bonds), {})
    return [f"Of a change of networks is left to do: {words}" for words in plan.operations]


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
