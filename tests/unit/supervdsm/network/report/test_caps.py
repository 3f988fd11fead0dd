# SPDX-License-Identifier: GPL-2.0-or-later
"""Capabilities: a whole host as the engine reads it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.config import Network
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.model import (
    IFF_RUNNING,
    IFF_UP,
    Address,
    BondPort,
    Link,
    LinkMode,
    Route,
    Snapshot,
)
from supervdsm.network.plan.state import MAIN_TABLE
from supervdsm.network.report.caps import capabilities
from vdsm_contract.types import DeviceQos, HostQos, NetworkCapabilities, QosClass, QosCurve

UP = IFF_UP | IFF_RUNNING
QOS = HostQos(out=QosClass(ls=QosCurve(m2=8000)))

BRIDGE = {"stp_state": "1", "forward_delay": "1500"}
BOND = {
    "mode": "4",
    "miimon": "100",
    "active_slave": "",
    "primary": "",
    "ad_aggregator": "1",
    "ad_partner_mac": "00:11:22:33:44:55",
}
HOST = Snapshot(
    links=(
        Link(1, "lo", flags=UP, mtu=65536),
        Link(
            2,
            "eno1",
            flags=UP,
            mtu=9000,
            hwaddr="52:54:00:00:00:01",
            physical=True,
            master=4,
            port=BondPort("52:54:00:00:00:01", 1),
        ),
        Link(
            3,
            "eno2",
            flags=UP,
            mtu=9000,
            hwaddr="52:54:00:00:00:01",
            physical=True,
            master=4,
            port=BondPort("52:54:00:00:00:02", 1),
        ),
        Link(
            4,
            "bond0",
            kind="bond",
            flags=UP,
            mtu=9000,
            hwaddr="52:54:00:00:00:01",
            options=BOND,
        ),
        Link(5, "bond0.100", kind="vlan", flags=UP, mtu=1500, master=6, lower=4, vlanid=100),
        Link(6, "ovirtmgmt", kind="bridge", flags=UP, mtu=1500, options=BRIDGE),
        Link(7, "vnet0", kind="tun", flags=UP, mtu=1500, master=6),
        Link(8, "bond0.200", kind="vlan", flags=UP, mtu=9000, lower=4, vlanid=200),
        Link(9, "eno3", physical=True, mtu=1500, hwaddr="52:54:00:00:00:03"),
    ),
    addresses=(
        Address(6, 4, "192.0.2.5", 24, dynamic=True),
        Address(8, 4, "198.51.100.5", 16),
        Address(99, 4, "203.0.113.5", 24),
    ),
    routes=(Route(6, 4, MAIN_TABLE, "0.0.0.0/0", "192.0.2.1"),),
    modes={2: LinkMode(10000, "full"), 3: LinkMode(10000, "full")},
    qos={4: (DeviceQos(QOS, 200),)},
)
NETWORKS = (
    Network(name="ovirtmgmt", bonding="bond0", vlan=100),
    Network(name="storage", bonding="bond0", vlan=200, bridged=False),
    Network(name="gone", nic="eno9"),
    Network(name="eno3"),
)

WITHOUT_ADDRESS = {
    "addr": "",
    "netmask": "",
    "ipv4addrs": [],
    "ipv6addrs": [],
    "ipv6autoconf": False,
    "gateway": "",
    "ipv6gateway": "::",
    "ipv4defaultroute": False,
    "dhcpv4": False,
    "dhcpv6": False,
}
MANAGEMENT = WITHOUT_ADDRESS | {
    "addr": "192.0.2.5",
    "netmask": "255.255.255.0",
    "ipv4addrs": ["192.0.2.5/24"],
    "gateway": "192.0.2.1",
    "ipv4defaultroute": True,
    "dhcpv4": True,
    "mtu": "1500",
}
STORAGE = WITHOUT_ADDRESS | {
    "addr": "198.51.100.5",
    "netmask": "255.255.0.0",
    "ipv4addrs": ["198.51.100.5/16"],
    "mtu": "9000",
}
PORT = {
    "hwaddr": "52:54:00:00:00:01",
    "speed": 10000,
    "ad_aggregator_id": "1",
    "mtu": "9000",
}


def caps(snapshot: Snapshot, *networks: Network) -> NetworkCapabilities:
    return capabilities(
        snapshot,
        networks,
        nameservers=["192.0.2.53"],
        supports_ipv6=True,
        patterns=NicPatterns(),
    )


def on_the_wire(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_whole_host() -> None:
    qos = {"out": {"ls": {"m2": 8000}}}
    assert on_the_wire(caps(HOST, *NETWORKS)) == {
        "networks": {
            "ovirtmgmt": MANAGEMENT
            | {
                "iface": "ovirtmgmt",
                "bridged": True,
                "southbound": "bond0.100",
                "switch": "legacy",
                "vlanid": 100,
                "ports": ["bond0.100", "vnet0"],
                "stp": "on",
            },
            "storage": STORAGE
            | {
                "iface": "bond0.200",
                "interface": "bond0.200",
                "bridged": False,
                "southbound": "bond0.200",
                "switch": "legacy",
                "vlanid": 200,
                "hostQos": qos,
            },
        },
        "bondings": {
            "bond0": WITHOUT_ADDRESS
            | {
                "mtu": "9000",
                "hwaddr": "52:54:00:00:00:01",
                "slaves": ["eno1", "eno2"],
                "active_slave": "",
                "opts": {"mode": "4"},
                "switch": "legacy",
                "speed": 20000,
                "ad_aggregator_id": "1",
                "ad_partner_mac": "00:11:22:33:44:55",
                "qos": [{"hostQos": qos, "vlan": 200}],
            }
        },
        "bridges": {
            "ovirtmgmt": MANAGEMENT
            | {
                "ports": ["bond0.100", "vnet0"],
                "stp": "on",
                "opts": {"stp_state": "1", "forward_delay": "1500"},
            }
        },
        "nics": {
            "eno1": WITHOUT_ADDRESS | PORT | {"permhwaddr": "52:54:00:00:00:01"},
            "eno2": WITHOUT_ADDRESS | PORT | {"permhwaddr": "52:54:00:00:00:02"},
            "eno3": WITHOUT_ADDRESS | {"hwaddr": "52:54:00:00:00:03", "speed": 0, "mtu": "1500"},
        },
        "vlans": {
            "bond0.100": WITHOUT_ADDRESS | {"iface": "bond0", "vlanid": 100, "mtu": "1500"},
            "bond0.200": STORAGE | {"iface": "bond0", "vlanid": 200},
        },
        "nameservers": ["192.0.2.53"],
        "supportsIPv6": True,
    }


def test_a_network_whose_bridge_is_something_else_is_left_out() -> None:
    assert caps(HOST, Network(name="eno3", nic="eno1")).networks == {}


def test_a_host_without_any_device() -> None:
    assert caps(Snapshot(), *NETWORKS).networks == {}


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any host, also one whose dumps do not fit each other: masters and owners that are gone."""
    count = draw(st.integers(0, 8))
    kinds = st.sampled_from(["", "bridge", "bond", "vlan", "veth", "dummy", "tun"])
    modes = st.sampled_from(["0", "1", "3", "4"])
    ports = st.integers(0, count + 1).map(lambda index: str(index or ""))
    options = st.fixed_dictionaries({"mode": modes}, optional={"active_slave": ports})
    links = tuple(
        Link(
            index,
            f"{draw(st.sampled_from(['eno', 'veth_', 'w']))}{index}",
            kind=draw(kinds),
            flags=draw(st.sampled_from([0, IFF_UP, UP])),
            mtu=draw(st.integers(68, 65536)),
            physical=draw(st.booleans()),
            master=draw(st.integers(0, count + 1)),
            lower=draw(st.integers(0, index - 1)),
            options=draw(options),
            port=draw(st.none() | st.just(BondPort("", None)) | st.just(BondPort("aa", 7))),
        )
        for index in range(1, count + 1)
    )
    owners = st.integers(1, count + 1)
    octets = st.integers(0, 255)
    addresses = draw(
        st.lists(
            st.builds(
                lambda owner, octet, length, dynamic: Address(
                    owner, 4, f"192.0.2.{octet}", length, dynamic=dynamic
                ),
                owners,
                octets,
                st.integers(0, 32),
                st.booleans(),
            )
        )
    )
    routes = draw(
        st.lists(
            st.builds(lambda owner: Route(owner, 4, MAIN_TABLE, "0.0.0.0/0", "192.0.2.1"), owners)
        )
    )
    return Snapshot(
        links=links,
        addresses=tuple(addresses),
        routes=tuple(routes),
        modes=draw(st.dictionaries(owners, st.integers(0, 400000).map(LinkMode))),
    )


@given(snapshots(), st.lists(st.integers(1, 9)))
def test_any_host_is_told_in_the_shape_of_the_contract(
    snapshot: Snapshot, networks: list[int]
) -> None:
    found = caps(snapshot, *(Network(name=f"eno{number}") for number in networks))
    wire = msgspec.json.encode(found)
    assert msgspec.json.decode(wire, type=NetworkCapabilities) == found
    names = {link.name for link in snapshot.links}
    roles = [set(found.nics), set(found.bondings), set(found.bridges), set(found.vlans)]
    assert sum(len(role) for role in roles) == len(set().union(*roles))
    assert set().union(*roles) <= names
    assert {network.iface for network in found.networks.values()} <= set(found.bridges)
    for bond in found.bondings.values():
        assert set(bond.slaves) <= names
