# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed and duplex against a real kernel; sysfs says what is right."""

import json

from process.supervdsm.network.namespace import Namespace

_MODES = """
import json, os
from supervdsm.network.kernel import ethtool, netlink

def read(name, file):
    try:
        return open(f"/sys/class/net/{name}/{file}").read().strip()
    except OSError:
        return None  # the device has no such thing, or not now

with netlink.connected() as kernel:
    links = kernel.links()
modes = ethtool.link_modes([link.index for link in links] + [99999])
found, told = {}, {}
for link in links:
    if link.up:
        mode = modes.get(link.index)
        speed = read(link.name, "speed")
        told[link.name] = speed and [max(int(speed), 0), read(link.name, "duplex")]
        found[link.name] = mode and [mode.speed, mode.duplex]
print(json.dumps([found, told, ethtool.link_modes([])]))
"""


def test_speeds_are_those_of_sysfs(namespace: Namespace) -> None:
    count = 200
    lines = []
    for number in range(count):
        lines += [
            f"link add nic{number} type veth peer name far{number}",
            f"link set nic{number} up",
            f"link set far{number} up",
        ]
    namespace.batch(*lines, "link add br0 type bridge", "link set nic1 master br0")
    namespace.batch("link set br0 up", "tuntap add tap0 mode tap", "link set tap0 up")
    found, told, nobody = json.loads(namespace.python(_MODES))
    assert found == told
    assert found["nic0"] == [10000, "full"]
    assert nobody == {}
