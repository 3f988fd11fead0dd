# SPDX-License-Identifier: GPL-2.0-or-later
"""A host for the tests of requests: four NICs, a foreign bond, VLAN, bridge and dummy."""

from supervdsm.network.config import Configuration
from supervdsm.network.plan.state import Device, State
from supervdsm.network.request.change import requested
from supervdsm.network.request.facts import Facts

HWADDR = "02:00:00:00:00:09"

NICS = tuple(Device(name=f"eth{n}", kind="nic", master="") for n in range(4))
STATE = State(
    devices={
        device.name: device
        for device in (
            *NICS,
            Device(name="eth8", kind="nic", master="bond9"),
            Device(name="eth9", kind="nic", master="bond9"),
            Device(
                name="bond9",
                kind="bond",
                hwaddr=HWADDR,
                options={"mode": "4", "miimon": "100", "lacp_rate": "1", "active_slave": ""},
            ),
            Device(name="eth7", kind="nic", master="br7"),
            Device(name="br7", kind="bridge"),
            Device(name="eth6", kind="nic"),
            Device(name="vlan60", kind="vlan", lower="eth6", vlan=60),
            Device(name="eth0.77", kind="other"),
            Device(name="dummy0", kind="other"),
        )
    },
    nameservers=("192.0.2.53", "127.0.0.53"),
)
FACTS = Facts.of(STATE)
EMPTY = Configuration()


def ask(
    networks: object = None,
    bondings: object = None,
    running: Configuration = EMPTY,
    facts: Facts = FACTS,
) -> Configuration:
    """Request networks and bonds."""
    return requested(networks or {}, bondings or {}, running, facts)  # type: ignore[arg-type]
