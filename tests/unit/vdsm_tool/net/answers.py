# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers of supervdsm: networks over a VLAN and a bond and over a NIC, and devices of none."""

from vdsm_contract.types import (
    Bond,
    Bridge,
    HostQos,
    InterfaceStats,
    NetworkCapabilities,
    NetworkInfo,
    NetworkStatistics,
    Nic,
    QosClass,
    QosCurve,
    Vlan,
)

NONE = {
    "addr": "",
    "netmask": "",
    "ipv4addrs": [],
    "ipv6addrs": [],
    "ipv6autoconf": False,
    "gateway": "",
    "ipv6gateway": "::",
    "ipv4defaultroute": False,
    "mtu": "1500",
    "dhcpv4": False,
    "dhcpv6": False,
}
MANAGEMENT = {
    **NONE,
    "addr": "192.0.2.2",
    "netmask": "255.255.255.0",
    "ipv4addrs": ["192.0.2.2/24"],
    "ipv6addrs": ["2001:db8::2/64"],
    "gateway": "192.0.2.1",
    "ipv4defaultroute": True,
    "dhcpv4": True,
    "ipv6autoconf": True,
}
STORAGE = {**NONE, "addr": "198.51.100.7", "ipv4addrs": ["198.51.100.7/24"], "mtu": "9000"}
QOS = HostQos(
    QosClass(
        ls=QosCurve(m2=50), ul=QosCurve(m2=1_000_000_000), rt=QosCurve(m2=10**7, m1=2 * 10**7, d=9)
    )
)


def caps() -> NetworkCapabilities:
    return NetworkCapabilities(
        networks={
            "ovirtmgmt": NetworkInfo(
                **MANAGEMENT,  # type: ignore[arg-type]
                iface="ovirtmgmt",
                bridged=True,
                southbound="bond0.100",
                switch="legacy",
                vlanid=100,
                ports=["bond0.100", "vnet0"],
                stp="off",
                hostQos=QOS,
            ),
            "storage": NetworkInfo(
                **STORAGE,  # type: ignore[arg-type]
                iface="eth2",
                bridged=False,
                southbound="eth2",
                switch="legacy",
                interface="eth2",
            ),
        },
        bondings={
            "bond0": Bond(
                **NONE,  # type: ignore[arg-type]
                hwaddr="52:54:00:00:00:01",
                slaves=["eth1", "eth0"],
                active_slave="eth0",
                opts={"mode": "1", "miimon": "100"},
                switch="legacy",
                speed=1000,
            )
        },
        bridges={
            "ovirtmgmt": Bridge(
                **MANAGEMENT,  # type: ignore[arg-type]
                ports=["vnet0", "bond0.100"],
                stp="off",
                opts={},
            ),
            "virbr0": Bridge(
                **{**NONE, "ipv4addrs": ["203.0.113.1/24"]},  # type: ignore[arg-type]
                ports=["eth3"],
                stp="on",
                opts={},
            ),
        },
        nics={
            "eth0": Nic(**NONE, hwaddr="52:54:00:00:00:01", speed=1000),  # type: ignore[arg-type]
            "eth1": Nic(**NONE, hwaddr="52:54:00:00:00:02", speed=0),  # type: ignore[arg-type]
            "eth2": Nic(**STORAGE, hwaddr="52:54:00:00:00:03", speed=10000),  # type: ignore[arg-type]
            "eth3": Nic(**NONE, hwaddr="52:54:00:00:00:04", speed=1000),  # type: ignore[arg-type]
        },
        vlans={"bond0.100": Vlan(**NONE, iface="bond0", vlanid=100)},  # type: ignore[arg-type]
        nameservers=["192.0.2.1"],
        supportsIPv6=True,
    )


def stats() -> NetworkStatistics:
    names = ("ovirtmgmt", "bond0.100", "bond0", "eth0", "eth2", "virbr0", "eth3")
    return NetworkStatistics(
        network={name: _counters(name, down=name == "eth3") for name in (*names, "eth1")}
        | {"eth1": _counters("eth1", down=True)},
        rxDropped=0,
        txDropped=0,
    )


def _counters(name: str, *, down: bool) -> InterfaceStats:
    return InterfaceStats(
        name=name,
        state="down" if down else "up",
        rx="0",
        tx="0",
        rxErrors="0",
        txErrors="0",
        rxDropped="0",
        txDropped="0",
        speed="1000",
        duplex="full",
        sampleTime=1.0,
    )
