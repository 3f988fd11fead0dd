# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of stored network configurations: a network, a bond, or a device.

The first byte chooses the kind, a line the name of the file. Oracle: refused with what the store
catches, and shortly; what is accepted is written and read as the same, with nothing unknown in it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fuzz.target import require
from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.request import attributes
from supervdsm.network.transaction import store
from vdsm.host import netconf
from vdsm_contract.errors import NetworkConfigError

IS_JSON = True
PREFIX = 1
_KINDS: tuple[tuple[str, Callable[[str, object], tuple[Any, tuple[str, ...]]]], ...] = (
    ("nets", attributes.network_of),
    ("bonds", attributes.bond_of),
    ("devices", attributes.device_of),
)
_NAME = "ovirtmgmt"


def run(data: bytes) -> None:
    kind, decoder = _KINDS[(data[0] if data else 0) % len(_KINDS)]
    netconf._decoded(data[1:])  # vdsm's own look at the same file
    try:
        found, unknown = decoder(_NAME, msgspec.json.decode(data[1:]))
    except (ValueError, RecursionError):
        return
    except NetworkConfigError as error:
        require(len(str(error)) < 1000, "an error that repeats the input")
        require(str(error).isascii(), "an error for no log")
        return
    require(all(isinstance(one, str) for one in unknown), "names of what is unknown")
    of_kind = {one: ({_NAME: found} if one == kind else {}) for one, _ in _KINDS}
    files = store.encode(Configuration(of_kind["nets"], of_kind["bonds"], of_kind["devices"]))
    content = files[kind][_NAME]
    again, left = decoder(_NAME, msgspec.json.decode(content))
    require(again == found, "{} is read as {}", found, again)
    require(not left, "unknown in our own file: {}", left)
    look(found)


def look(found: object) -> None:
    """Ask for what the rest of the room asks for."""
    if isinstance(found, Network):
        require(bool(found.iface), "a network without a device")
        require(all(found.bridge_options), "a bridge's option without a name")
    elif isinstance(found, Bond):
        require("mode" in found.option_values, "a bond without a mode")


def seeds() -> Mapping[str, bytes]:
    network = {
        "nic": "eth0", "vlan": 5, "bridged": True, "mtu": 9000, "stp": False, "switch": "legacy",
        "defaultRoute": True, "bootproto": "none", "ipaddr": "192.0.2.2",
        "netmask": "255.255.255.0", "gateway": "192.0.2.1", "ipv6addr": "2001:db8::2/64",
        "ipv6gateway": "2001:db8::1", "dhcpv6": False, "ipv6autoconf": False,
        "nameservers": ["192.0.2.53"],
        "hostQos": {"out": {"ls": {"m2": 50}, "ul": {"m1": 8000, "d": 10, "m2": 8000}}},
        "custom": {"bridge_opts": "forward_delay=1500 multicast_snooping=1", "hook": "x"},
    }  # fmt: skip
    bond = {
        "nics": ["eth2", "eth1"], "options": "mode=4 miimon=100 xmit_hash_policy=2",
        "switch": "legacy", "hwaddr": "02:00:00:00:00:0A",
    }  # fmt: skip
    encode = msgspec.json.encode
    return {
        "network": b"\0" + encode(network),
        "dhcp": b"\0" + encode({"bonding": "bond0", "bootproto": "dhcp", "dhcpv6": "true"}),
        "bond": b"\1" + encode(bond),
        "words": b"\1" + encode({"nics": ["a"], "options": "mode=active-backup,primary=a foo=1"}),
        "device": b"\2" + encode({"sriov": {"numvfs": 7}}),
        "upstream": b"\0" + encode({"nic": "eth0", "bondingOptions": None, "blockingdhcp": True}),
        "deep": b"\0" + b'{"custom":' * 300,
    }
