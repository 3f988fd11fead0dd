# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts and configurations for property tests: small, but with everything in them.

Every configuration is one that `request/` would let through. What differs between two of them is
drawn from few values, so that two often have something in common.
"""

from hypothesis import strategies as st

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan.state import Address, Device, Ipv6, Route, State
from vdsm_contract.types import HostQos, QosClass, QosCurve

NICS = ("eth0", "eth1", "eth2", "eth3")
BONDS = ("bond0", "bond1")
NETWORKS = ("ovirtmgmt", "storage", "display", "vm1", "vm2", "vm3")
VLANS = (None, 5, 6, 7)
MTUS = (1500, 9000, 1280, 2000)
BOND_OPTIONS = (
    "mode=balance-rr",
    "mode=active-backup miimon=100",
    "mode=active-backup miimon=100 primary=eth1",
    "mode=active-backup miimon=150 updelay=300 fail_over_mac=active",
    "mode=802.3ad",
    "mode=802.3ad lacp_rate=fast xmit_hash_policy=layer2+3 fail_over_mac=active",
    "mode=balance-xor arp_interval=100 arp_ip_target=10.0.0.1",
    "mode=balance-tlb tlb_dynamic_lb=0",
)
BRIDGE_OPTS = (None, "multicast_snooping=0", "forward_delay=1500 multicast_snooping=1")


@st.composite
def configurations(
    draw: st.DrawFn,
    nics: tuple[str, ...] = NICS,
    *,
    with_bonds: bool = True,
    with_vlans: bool = True,
    with_dhcp: bool = True,
    with_qos: bool = True,
    with_ipv6: bool = True,
) -> Configuration:
    """Draw a configuration that the request's validation would accept."""
    free = list(nics)
    bonds = {}
    for name in BONDS if with_bonds else ():
        taken = draw(st.lists(st.sampled_from(free), unique=True, max_size=3)) if free else []
        if taken:
            free = [nic for nic in free if nic not in taken]
            bonds[name] = draw(_bonds(name, tuple(sorted(taken))))
    bases = [*bonds, *free, None]
    places = [(base, vlan) for base in bases for vlan in (VLANS if with_vlans else (None,))]
    names = draw(st.lists(st.sampled_from(NETWORKS), unique=True, max_size=5))
    used: set[tuple[str | None, int | None]] = set()
    default = draw(st.sampled_from((*NETWORKS, "")))
    networks = {}
    for name in names:
        base, vlan = draw(st.sampled_from(places))
        if base is None:
            vlan = None
        elif (base, vlan) in used:
            continue
        used.add((base, vlan))
        networks[name] = draw(
            _networks(
                name,
                base,
                vlan,
                default_route=name == default,
                with_dhcp=with_dhcp,
                with_qos=with_qos,
                with_ipv6=with_ipv6,
            )
        )
    return Configuration(networks=networks, bonds=bonds)


@st.composite
def _bonds(draw: st.DrawFn, name: str, nics: tuple[str, ...]) -> Bond:
    options = draw(st.sampled_from(BOND_OPTIONS))
    if "primary=" in options and "eth1" not in nics:
        options = "mode=active-backup miimon=100"
    hwaddr = draw(st.sampled_from((None, None, None, "02:00:00:00:0b:01")))
    return Bond(name=name, nics=nics, options=options, hwaddr=hwaddr)


@st.composite
def _networks(
    draw: st.DrawFn,
    name: str,
    base: str | None,
    vlan: int | None,
    *,
    default_route: bool,
    with_dhcp: bool,
    with_qos: bool,
    with_ipv6: bool,
) -> Network:
    bridged = base is None or draw(st.booleans())
    number = NETWORKS.index(name)
    protocol = draw(st.sampled_from(("none", "static", "dhcp" if with_dhcp else "static")))
    static = protocol == "static"
    protocol6 = draw(st.sampled_from(("none", "none", "static", "autoconf", "dhcpv6")))
    if not with_ipv6 or (protocol6 == "dhcpv6" and not with_dhcp):
        protocol6 = "none"
    mtu = draw(st.sampled_from(MTUS))
    gateway = draw(st.sampled_from((None, f"10.{number}.0.1", "192.0.2.1"))) if static else None
    options = draw(st.sampled_from(BRIDGE_OPTS)) if bridged else None
    share = draw(st.sampled_from((None, None, 50, 80))) if with_qos and base else None
    return Network(
        name=name,
        nic=base if base and base not in BONDS else None,
        bonding=base if base in BONDS else None,
        vlan=vlan,
        bridged=bridged,
        mtu=mtu,
        stp=bridged and draw(st.booleans()),
        defaultRoute=default_route,
        bootproto="dhcp" if protocol == "dhcp" else "none",
        ipaddr=draw(st.sampled_from((f"10.{number}.0.2", f"10.{number}.0.3"))) if static else None,
        netmask=draw(st.sampled_from(("255.255.255.0", "255.255.0.0"))) if static else None,
        gateway=gateway,
        ipv6addr=f"fd00:{number}::2/64" if protocol6 == "static" else None,
        ipv6gateway=(
            draw(st.sampled_from((None, f"fd00:{number}::1", "fe80::1")))
            if protocol6 == "static" and default_route
            else None
        ),
        dhcpv6=protocol6 == "dhcpv6",
        ipv6autoconf=protocol6 == "autoconf",
        nameservers=("192.0.2.53",) if default_route and draw(st.booleans()) else (),
        hostQos=(
            HostQos(out=QosClass(ls=QosCurve(m2=share), ul=QosCurve(m2=100_000_000)))
            if share
            else None
        ),
        custom={"bridge_opts": options} if options else None,
    )


def hwaddr(nic: str) -> str:
    """Return a NIC's own hardware address."""
    return f"02:00:00:00:00:{NICS.index(nic) + 1:02x}"


@st.composite
def hosts(draw: st.DrawFn) -> State:
    """Draw a host before vdsm: NICs with addresses of their own, perhaps a foreign VLAN."""
    devices = {
        "lo": Device(
            name="lo",
            kind="other",
            up=True,
            mtu=65536,
            master="",
            ipv6=Ipv6(disabled=False, accept_ra=1, autoconf=True),
            addresses=(Address("127.0.0.1/8"), Address("::1/128")),
            qos=(),
        )
    }
    routes = set()
    for number, nic in enumerate(NICS):
        up = draw(st.booleans()) or number == 0
        addresses = draw(
            st.lists(
                st.sampled_from(
                    (
                        f"192.168.{number}.2/24",
                        f"192.168.{number}.3/24",
                        f"198.51.{number}.4/24",
                    )
                ),
                unique=True,
                max_size=3,
            )
        )
        devices[nic] = Device(
            name=nic,
            kind="nic",
            up=up,
            mtu=draw(st.sampled_from((1500, 1500, 9000))),
            hwaddr=hwaddr(nic),
            master="",
            ipv6=Ipv6(disabled=False, accept_ra=1, autoconf=True),
            addresses=_in_kernels_order(addresses),
            qos=(),
        )
        if up and addresses and addresses[0].startswith("192.168"):
            routes.add(Route(device=nic, destination="10.99.0.0/16", gateway=f"192.168.{number}.1"))
    if draw(st.booleans()):
        lower = devices["eth3"]
        devices["foreign"] = Device(
            name="foreign",
            kind="vlan",
            up=lower.up,
            mtu=1500,
            hwaddr=lower.hwaddr,
            master="",
            lower="eth3",
            vlan=99,
            ipv6=Ipv6(disabled=False, accept_ra=1, autoconf=True),
            addresses=(Address("198.18.0.2/24"),),
            qos=(),
        )
    return State(devices=devices, routes=frozenset(routes), nameservers=("192.0.2.1",))


def _in_kernels_order(cidrs: list[str]) -> tuple[Address, ...]:
    """Put the first address of each subnet first."""
    subnets: dict[str, list[str]] = {}
    for cidr in cidrs:
        subnets.setdefault(cidr.rpartition(".")[0], []).append(cidr)
    primary = [found[0] for found in subnets.values()]
    return tuple(Address(cidr) for cidr in (*primary, *(c for c in cidrs if c not in primary)))
