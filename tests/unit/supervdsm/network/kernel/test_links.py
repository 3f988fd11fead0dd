# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices, from bytes as the kernel writes them."""

import base64
import json
import struct
from pathlib import Path
from typing import Any, Final

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from supervdsm.network.kernel import attributes, links
from supervdsm.network.kernel.model import BondPort, Ipv6Settings, Link
from unit.supervdsm.network.kernel.packing import link, packed

RECORDED: Final = Path(__file__).parents[1] / "report/recorded/debian13.json"


def test_a_physical_device() -> None:
    message = link(
        [
            ("IFLA_ADDRESS", "52:54:00:12:34:56"),
            ("IFLA_PARENT_DEV_NAME", "0000:01:00.0"),
            ("IFLA_QDISC", "mq"),
        ]
    )
    assert links.decode(message) == Link(
        index=7,
        name="dev",
        flags=0x11043,
        mtu=9000,
        hwaddr="52:54:00:12:34:56",
        physical=True,
        qdisc="mq",
    )
    assert (links.index(message), links.flags(message)) == (7, 0x11043)


def test_a_vlan_knows_its_lower_device() -> None:
    data = {"attrs": [("IFLA_VLAN_ID", 100)]}
    found = links.decode(link([("IFLA_LINK", 3)], kind="vlan", data=data))
    assert (found.kind, found.lower, found.vlanid) == ("vlan", 3, 100)


def test_a_lower_device_in_another_namespace_is_none_of_ours() -> None:
    data = {"attrs": [("IFLA_VLAN_ID", 100)]}
    message = link([("IFLA_LINK", 3), ("IFLA_LINK_NETNSID", 0)], kind="vlan", data=data)
    assert links.decode(message).lower == 0


def test_the_data_of_another_kind_is_no_vlan_id() -> None:
    # Attribute 1 of a bridge is its forward delay.
    data = {"attrs": [("IFLA_BR_FORWARD_DELAY", 100)]}
    found = links.decode(link([], kind="bridge", data=data))
    assert (found.vlanid, found.options) == (0, {"forward_delay": "100"})


def test_a_bond_port_knows_its_own_hardware_address() -> None:
    data = {
        "attrs": [
            ("IFLA_BOND_SLAVE_PERM_HWADDR", "52:54:00:00:00:01"),
            ("IFLA_BOND_SLAVE_AD_AGGREGATOR_ID", 2),
        ]
    }
    found = links.decode(link([("IFLA_MASTER", 9)], slave_kind="bond", slave_data=data))
    assert found.master == 9
    assert found.port == BondPort(permhwaddr="52:54:00:00:00:01", aggregator=2)


def test_a_port_of_a_bond_that_does_not_aggregate() -> None:
    data = {"attrs": [("IFLA_BOND_SLAVE_PERM_HWADDR", "52:54:00:00:00:01")]}
    found = links.decode(link([("IFLA_MASTER", 9)], slave_kind="bond", slave_data=data))
    assert found.port == BondPort(permhwaddr="52:54:00:00:00:01", aggregator=None)


def test_a_bond_has_no_targets_and_no_primary_where_the_kernel_says_nothing_of_them() -> None:
    """Else a rollback to them would leave those of the change."""
    found = links.decode(link([], kind="bond", data={"attrs": [("IFLA_BOND_MODE", 1)]}))
    assert found.options == {
        "active_slave": "",
        "mode": "1",
        "primary": "",
        "arp_ip_target": "",
        "ns_ip6_target": "",
    }


def test_a_bridge_port_is_no_bond_port() -> None:
    assert links.decode(link([("IFLA_MASTER", 9)], slave_kind="bridge")).port is None


def test_settings_of_ipv6() -> None:
    # DEVCONF_*: forwarding, accept_ra, autoconf, accept_ra_defrtr, disable_ipv6.
    conf = [0] * 40
    conf[0], conf[3], conf[5], conf[17], conf[26] = 1, 2, 1, 1, 0
    inet6 = attributes.nested(10, attributes.attribute(2, struct.pack("=40i", *conf)))
    message = bytearray(link([]))
    message += attributes.nested(26, inet6)
    struct.pack_into("=I", message, 0, len(message))
    assert links.decode(memoryview(message)).ipv6 == Ipv6Settings(
        disabled=False, accept_ra=2, autoconf=True, defrtr=True, forwarding=True
    )


def test_a_device_without_ipv6() -> None:
    assert links.decode(link([])).ipv6 is None


def test_options_that_are_no_plain_numbers() -> None:
    data = {
        "attrs": [
            ("IFLA_BR_GROUP_FWD_MASK", 8),
            ("IFLA_BR_VLAN_PROTOCOL", 0x88A8),
            ("IFLA_BR_GROUP_ADDR", "01:80:c2:00:00:0e"),
        ]
    }
    assert links.decode(link([], kind="bridge", data=data)).options == {
        "group_fwd_mask": "0x8",
        "vlan_protocol": "0x88a8",
        "group_addr": "01:80:c2:00:00:0e",
    }


def test_which_messages_are_about_a_device() -> None:
    assert links.is_about_device(link([]))
    # A port's role in its bridge, and the event of a wireless driver.
    assert not links.is_about_device(packed(ifinfmsg, {"family": 7, "index": 7}, [("IFLA_MTU", 1)]))
    wireless = packed(ifinfmsg, {"index": 7}, [("IFLA_WIRELESS", b"\0" * 8)])
    assert not links.is_about_device(wireless)
    assert not links.is_about_device(packed(ifinfmsg, {"index": 7}, []))


@pytest.mark.parametrize("text", json.loads(RECORDED.read_text())["links"])
def test_pyroute2_reads_the_same_bytes_alike(text: str) -> None:
    data = base64.b64decode(text)
    theirs: Any = ifinfmsg(data)
    theirs.decode()
    ours = links.decode(memoryview(data))
    kind = theirs.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or ""
    assert (ours.index, ours.name, ours.flags, ours.kind) == (
        theirs["index"],
        theirs.get_attr("IFLA_IFNAME"),
        theirs["flags"],
        kind,
    )
    assert (ours.mtu, ours.hwaddr, ours.qdisc, ours.master, ours.lower) == (
        theirs.get_attr("IFLA_MTU"),
        theirs.get_attr("IFLA_ADDRESS"),
        theirs.get_attr("IFLA_QDISC"),
        theirs.get_attr("IFLA_MASTER") or 0,
        theirs.get_attr("IFLA_LINK") or 0,
    )
    if kind == "vlan":
        vlan = theirs.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "IFLA_VLAN_ID")
        assert ours.vlanid == vlan
    conf = theirs.get_nested("IFLA_AF_SPEC", "AF_INET6", "IFLA_INET6_CONF")
    assert ours.ipv6 is not None
    assert (ours.ipv6.disabled, ours.ipv6.accept_ra, ours.ipv6.autoconf, ours.ipv6.forwarding) == (
        bool(conf["disable_ipv6"]),
        conf["accept_ra"],
        bool(conf["autoconf"]),
        bool(conf["forwarding"]),
    )
    assert ours.ipv6.defrtr == bool(conf["accept_ra_defrtr"])
