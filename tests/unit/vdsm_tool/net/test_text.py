# SPDX-License-Identifier: GPL-2.0-or-later
"""How networks look on a terminal."""

import pytest

from unit.vdsm_tool.net.answers import caps, stats
from vdsm_tool.net.stored import Difference
from vdsm_tool.net.text import lines
from vdsm_tool.net.tree import forest

EXPECTED = """\
ovirtmgmt  192.0.2.2/24, 2001:db8::2/64  by DHCPv4 and SLAAC  gateway 192.0.2.1  default route  \
QoS: share 50, at most 1000 Mbit/s, at least 20 Mbit/s for 9 us, then 10 Mbit/s
└─ bridge ovirtmgmt  up  MTU 1500  stp=off
   ├─ vlan bond0.100  up  MTU 1500  id=100
   │  └─ bond bond0  up  MTU 1500  miimon=100 mode=1 active=eth0
   │     ├─ nic eth0  up  MTU 1500  hwaddr=52:54:00:00:00:01 speed=1000 Mbit/s
   │     └─ nic eth1  down  MTU 1500  hwaddr=52:54:00:00:00:02
   └─ other vnet0  unknown

storage  198.51.100.7/24  (mtu 9000, after a boot 1500)
└─ nic eth2  up  MTU 9000  hwaddr=52:54:00:00:00:03 speed=10000 Mbit/s

lost  its device is not there

devices of no network
└─ bridge virbr0  up  MTU 1500  stp=on  203.0.113.1/24
   └─ nic eth3  down  MTU 1500  hwaddr=52:54:00:00:00:04 speed=1000 Mbit/s

network old: does not run, a boot brings it
bond bond0: not persistent, a boot forgets it
nameservers: 192.0.2.1
`vdsm-client Host setSafeNetworkConfig` keeps what runs over the next boot."""


@pytest.fixture(autouse=True)
def no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def test_the_tree_and_what_a_boot_would_change() -> None:
    differences = [
        Difference("bond", "bond0", {"nics": ["eth0"]}, None),
        Difference("network", "lost", {"mtu": 1500}, None),
        Difference("network", "old", None, {"nic": "eth9"}),
        Difference("network", "storage", {"mtu": 9000}, {"mtu": 1500}),
    ]
    found = forest(caps(), stats())
    assert "\n".join(lines(found, differences, ["lost"], ["192.0.2.1"])) == EXPECTED


def test_a_network_that_a_boot_brings_back_as_it_is_has_no_mark() -> None:
    text = "\n".join(lines(forest(caps(), stats()), [], [], []))
    assert "boot" not in text
    assert text.endswith("nameservers: none")
