# SPDX-License-Identifier: GPL-2.0-or-later
"""A request of networks, from the attributes to the operations that it leads to.

On a host that has networks, a bond and foreign devices. Oracle: NetworkConfigError, short and in
ASCII, or a plan of printable sentences; what would be stored is read as the same; the canonical
form of a request asks for the same as the request.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fuzz.target import require
from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan import planner
from supervdsm.network.plan.state import Address, Device, Ipv6, Route, State
from supervdsm.network.request import options as request_options
from supervdsm.network.request.attributes import attributes, bond_attributes, bond_of, network_of
from supervdsm.network.transaction import store
from supervdsm.network.transaction.change import proposed
from vdsm_contract.errors import NetworkConfigError

IS_JSON = True
_OFF = Ipv6(disabled=True, accept_ra=0, autoconf=False)


class Request(msgspec.Struct):
    """As the verb takes it."""

    networks: dict[str, object] = {}
    bondings: dict[str, object] = {}
    options: dict[str, object] = {}


def _nic(number: int, master: str = "") -> Device:
    hwaddr = f"02:00:00:00:00:{number:02x}"
    return Device(
        name=f"eth{number}", kind="nic", up=True, mtu=1500, hwaddr=hwaddr, master=master, ipv6=_OFF,
        addresses=(), qos=(), permanent_hwaddr=hwaddr if master.startswith("bond") else "",
    )  # fmt: skip


def _made(name: str, kind: Any, **more: Any) -> Device:
    common = {"up": True, "mtu": 1500, "hwaddr": "02:00:00:00:00:01", "master": "", "qos": ()}
    return Device(name=name, kind=kind, ipv6=_OFF, **{"addresses": (), **common, **more})


CURRENT = State(
    devices={
        "eth0": _nic(0, "ovirtmgmt"),
        "eth1": _nic(1, "bond0"),
        "eth2": _nic(2, "bond0"),
        "eth3": _nic(3),
        "eth4": _nic(4),
        "bond0": _made("bond0", "bond", options={"mode": "4", "miimon": "100"}),
        "bond0.5": _made("bond0.5", "vlan", lower="bond0", vlan=5),
        "eth3.7": _made("eth3.7", "vlan", lower="eth3", vlan=7),
        "ovirtmgmt": _made(
            "ovirtmgmt", "bridge", options={"stp_state": "0"}, addresses=(Address("192.0.2.2/24"),)
        ),
        "tap0": _made("tap0", "other"),
    },
    routes=frozenset({Route(device="ovirtmgmt", destination="0.0.0.0/0", gateway="192.0.2.1")}),
    nameservers=("192.0.2.53",),
)
RUNNING = Configuration(
    networks={
        "ovirtmgmt": Network(
            name="ovirtmgmt", nic="eth0", defaultRoute=True, ipaddr="192.0.2.2",
            netmask="255.255.255.0", gateway="192.0.2.1", nameservers=("192.0.2.53",),
        ),
        "storage": Network(name="storage", bonding="bond0", vlan=5, bridged=False),
    },
    bonds={"bond0": Bond(name="bond0", nics=("eth1", "eth2"), options="mode=4 miimon=100")},
)  # fmt: skip


def run(data: bytes) -> None:
    try:
        request = msgspec.json.decode(data, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    before = msgspec.json.encode(request)
    wanted = asked(request)
    require(msgspec.json.encode(request) == before, "the request was changed")
    if wanted is None:
        return
    check_stored(wanted)
    networks, bonds = wanted.networks, wanted.bonds
    canonical = Request(
        {n: attributes(networks[n]) if n in networks else r for n, r in request.networks.items()},
        {n: bond_attributes(bonds[n]) if n in bonds else r for n, r in request.bondings.items()},
        request.options,
    )
    again = asked(canonical)
    require(again == wanted, "the canonical request asks for {}, not for {}", again, wanted)


def asked(request: Request) -> Configuration | None:
    """What a request leads to; None when it is refused."""
    try:
        options = request_options.parse(request.options)
        require(0 <= options.timeout <= request_options.MAX_TIMEOUT, "a timeout without end")
        change = proposed(CURRENT, RUNNING, request.networks, request.bondings)
    except NetworkConfigError as error:
        require(len(error.reason) < 600 and len(error.field) < 600, "an error that repeats")
        require(error.reason.isascii() and error.field.isascii(), "an error for no log")
        return None
    for operation in planner.plan(change.current, change.target):
        require(str(operation).isprintable(), "an operation for no log: {}", operation)
    return change.wanted


def check_stored(wanted: Configuration) -> None:
    files = store.encode(wanted)
    for name, content in files["nets"].items():
        found, unknown = network_of(name, msgspec.json.decode(content))
        require(found == wanted.networks[name], "{} is read as {}", wanted.networks[name], found)
        require(not unknown, "unknown in our own file")
    for name, content in files["bonds"].items():
        bond, unknown = bond_of(name, msgspec.json.decode(content))
        require(bond == wanted.bonds[name], "{} is read as {}", wanted.bonds[name], bond)
        require(not unknown, "unknown in our own file")


def seeds() -> Mapping[str, bytes]:
    static = {
        "nic": "eth3", "vlan": "9", "bridged": "true", "mtu": 1400, "ipaddr": "198.51.100.2",
        "netmask": "255.255.255.0", "gateway": "198.51.100.1", "ipv6addr": "2001:db8::2/64",
        "ipv6gateway": "2001:db8::1", "stp": "no", "defaultRoute": False,
        "hostQos": {"out": {"ls": {"m2": "50"}, "ul": {"m2": 8000000}}},
    }  # fmt: skip
    bond = {"nics": ["eth3", "eth4"], "options": "mode=1 miimon=100 primary=eth3"}
    requests = {
        "static": Request({"n1": static}),
        "bond": Request({"n2": {"bonding": "bond1", "bootproto": "dhcp"}}, {"bond1": bond}),
        "edit": Request({"ovirtmgmt": {"nic": "eth0", "bootproto": "dhcp", "defaultRoute": True}}),
        "remove": Request({"storage": {"remove": True}}, {"bond0": {"remove": True}}),
        "options": Request(
            {"n3": {"custom": {"bridge_opts": "stp_state=1 ageing_time=100", "hook": "x"}}},
            {},
            {"connectivityCheck": "true", "connectivityTimeout": "60", "commitOnSuccess": True},
        ),
        "grow": Request({}, {"bond0": {"nics": ["eth1", "eth4"], "options": "mode=802.3ad"}}),
        "foreign": Request({"n4": {"nic": "eth3", "vlan": 7, "bridged": False}}),
        "empty": Request(),
    }
    return {name: msgspec.json.encode(request) for name, request in requests.items()}
