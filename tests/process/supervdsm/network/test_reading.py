# SPDX-License-Identifier: GPL-2.0-or-later
"""The state as a change reads it, against a real kernel; `ip`, sysfs and pyroute2 are oracles."""

import json
from typing import Any

import msgspec
import pytest

from process.supervdsm.network.namespace import Namespace
from supervdsm.network.plan.state import Address, Device, Ipv6, Route, Rule, State, source_table

_READ = """
import sys, msgspec
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.reading import Reader
from supervdsm.network.plan.state import Dhcp
reader = Reader(
    patterns=NicPatterns(fake=("nic*",)),
    dhcp=lambda: {"nic1": Dhcp(True, False, True)},
    nameservers=lambda: ["192.0.2.53"],
)
sys.stdout.buffer.write(msgspec.json.encode(reader.read()))
"""


@pytest.fixture
def host(namespace: Namespace) -> Namespace:
    namespace.batch(
        "link add nic0 mtu 1400 address 02:00:00:00:00:01 type veth peer name far0",
        "link add nic1 type veth peer name far1",
        "link add ovirtmgmt type bridge stp_state 1 forward_delay 400 group_fwd_mask 8",
        "link add vx0 type vxlan id 5 dstport 4789 local 192.0.2.5",
        "link set nic0 master ovirtmgmt",
        "link set nic0 up",
        "link set nic1 up",
        "link set far1 up",
        "link set ovirtmgmt up",
        "addr add 192.0.2.5/24 dev ovirtmgmt",
        "addr add 192.0.2.6/24 dev ovirtmgmt valid_lft 600 preferred_lft 300",
        "addr add 2001:db8::5/64 dev ovirtmgmt nodad",
        "addr add 203.0.113.1 peer 203.0.113.2/32 dev nic1",
    )
    return namespace


def read(host: Namespace) -> State:
    return msgspec.json.decode(host.python(_READ), type=State)


def test_devices(host: Namespace) -> None:
    state = read(host)
    assert {name: device.kind for name, device in state.devices.items()} == {
        "lo": "other",
        "nic0": "nic",
        "nic1": "nic",
        "far0": "other",
        "far1": "other",
        "vx0": "other",
        "ovirtmgmt": "bridge",
    }
    assert state.devices["nic0"] == Device(
        name="nic0",
        kind="nic",
        up=True,
        mtu=1400,
        hwaddr="02:00:00:00:00:01",
        master="ovirtmgmt",
        ipv6=Ipv6(disabled=False, accept_ra=1, autoconf=True),
        addresses=(),
        qos=(),
    )
    assert state.devices["far0"].up is False
    for link in host.ip_json("link show"):
        device = state.devices[link["ifname"]]
        assert (device.mtu, device.up) == (link["mtu"], "UP" in link["flags"])
        assert device.master == link.get("master", "")
        assert device.hwaddr == link.get("address", "")


def test_addresses_without_those_of_the_kernel(host: Namespace) -> None:
    addresses = read(host).devices["ovirtmgmt"].addresses
    assert addresses is not None
    assert [(one.cidr, 0 < one.lifetime <= 600) for one in addresses] == [
        ("192.0.2.5/24", False),
        ("192.0.2.6/24", True),
        ("2001:db8::5/64", False),
    ]
    # Our own end of a point-to-point link.
    assert read(host).devices["nic1"].addresses == (Address("203.0.113.1/32", peer="203.0.113.2"),)


def test_settings_of_ipv6(host: Namespace) -> None:
    host.python(
        "import pathlib\n"
        "conf = pathlib.Path('/proc/sys/net/ipv6/conf/nic1')\n"
        "for name, value in {'disable_ipv6': 1, 'accept_ra': 2, 'autoconf': 0,\n"
        "                    'accept_ra_defrtr': 0}.items():\n"
        "    (conf / name).write_text(str(value))\n"
    )
    host.ip("link set far0 mtu 1000")
    state = read(host)
    assert state.devices["nic1"].ipv6 == Ipv6(
        disabled=True, accept_ra=2, autoconf=False, defrtr=False
    )
    # Too small for IPv6.
    assert state.devices["far0"].ipv6 is None


_SETTABLE = """
import json, os
directory = "/sys/class/net/ovirtmgmt/bridge/"
found = {}
for name in os.listdir(directory):
    mode = os.stat(directory + name).st_mode & 0o777
    if mode & 0o200 and mode & 0o400:
        found[name] = open(directory + name).read().strip()
print(json.dumps(found))
"""


def test_options_of_a_bridge_are_those_that_can_be_set(host: Namespace) -> None:
    files: dict[str, str] = json.loads(host.python(_SETTABLE))
    # The kernel ignores what is written to it.
    files.pop("hash_elasticity")
    options = read(host).devices["ovirtmgmt"].options
    assert options == {
        name: value if ":" in value else str(int(value, 0)) for name, value in files.items()
    }
    assert options is not None
    assert (options["forward_delay"], options["group_fwd_mask"]) == ("400", "8")


def test_routes_that_somebody_made(host: Namespace) -> None:
    table = source_table("nic1")
    host.batch(
        "route add default via 192.0.2.1 dev ovirtmgmt metric 100",
        "route add default via 2001:db8::1 dev ovirtmgmt",
        "route add 2001:db8:1::/48 via 2001:db8::2 dev ovirtmgmt metric 7",
        "route add 198.51.100.0/24 via 192.0.2.9 dev ovirtmgmt src 192.0.2.5 proto static",
        f"route add default via 192.0.2.77 dev nic1 onlink table {table}",
        f"route add 192.0.2.0/24 dev nic1 scope link table {table}",
        "route add 10.0.0.0/8 dev nic1 table 4711",
        "route add 10.1.0.0/16 dev nic1 table 4712",
        "rule add from 192.0.2.0/24 table 4712 priority 3200",
        "route add blackhole 10.2.0.0/16",
        "route add 10.3.0.0/16 nexthop via 192.0.2.1 dev ovirtmgmt nexthop dev nic1",
        "route add 10.4.0.0/16 via inet6 2001:db8::1 dev ovirtmgmt",
        "route add 10.5.0.0/16 tos 0x10 dev nic1",
    )
    bridge, nic = "ovirtmgmt", "nic1"
    assert read(host).routes == {
        Route(
            device=bridge,
            destination="0.0.0.0/0",
            gateway="192.0.2.1",
            metric=100,
            protocol=3,
        ),
        Route(device=bridge, destination="::/0", gateway="2001:db8::1", protocol=3),
        Route(
            device=bridge,
            destination="2001:db8:1::/48",
            gateway="2001:db8::2",
            metric=7,
            protocol=3,
        ),
        Route(
            device=bridge,
            destination="198.51.100.0/24",
            gateway="192.0.2.9",
            source="192.0.2.5",
        ),
        Route(
            device=nic,
            destination="0.0.0.0/0",
            gateway="192.0.2.77",
            table=table,
            protocol=3,
            onlink=True,
        ),
        Route(device=nic, destination="192.0.2.0/24", table=table, protocol=3, link_scope=True),
        # Of somebody's own table, to which a rule of ours leads.
        Route(device=nic, destination="10.1.0.0/16", table=4712, protocol=3, link_scope=True),
    }


def test_rules_of_source_routing(host: Namespace) -> None:
    host.batch(
        "rule add from 192.0.2.0/24 table 4000000000 priority 3200",
        "rule add to 192.0.2.0/24 iif ovirtmgmt table 77 priority 3200",
        "rule add from 198.51.100.0/24 table 79 priority 3300",
    )
    host.ip("-6 rule add from 2001:db8::/64 table 78 priority 3200")
    assert read(host).rules == {
        Rule(table=4000000000, source="192.0.2.0/24"),
        Rule(table=77, destination="192.0.2.0/24", iif="ovirtmgmt"),
        Rule(table=78, source="2001:db8::/64", version=6),
    }


def test_clients_and_name_servers(host: Namespace) -> None:
    state = read(host)
    assert state.nameservers == ("192.0.2.53",)
    assert set(state.dhcp) == {"nic1"}


def test_nothing_changes_between_two_readings(host: Namespace) -> None:
    def without_lifetimes(state: State) -> object:
        found: Any = msgspec.to_builtins(state)
        for device in found["devices"].values():
            for address in device.get("addresses", ()):
                address.pop("lifetime", None)
        for name in ("routes", "rules"):
            found[name] = sorted(map(str, found.get(name, ())))
        return found

    assert without_lifetimes(read(host)) == without_lifetimes(read(host))


_CHURN = """
import subprocess
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.reading import Reader
lines = []
for i in range(30):
    lines += [f"link add b{i % 7} type bridge", f"link add v{i % 7} type veth peer name w{i % 7}",
              f"link set v{i % 7} master b{i % 7}", f"link set b{i % 7} up",
              f"addr add 192.0.2.{i}/24 dev b{i % 7}", f"link del b{i % 7}", f"link del v{i % 7}"]
churn = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)
churn.stdin.write("\\n".join(lines))
churn.stdin.close()
reader = Reader(patterns=NicPatterns(), dhcp=dict, nameservers=tuple)
calls = 0
while churn.poll() is None:
    assert {"nic0", "nic1", "ovirtmgmt"} <= reader.read().devices.keys()
    calls += 1
assert churn.returncode == 0
assert calls > 3
"""


def test_devices_that_come_and_go_harm_nobody(host: Namespace) -> None:
    host.python(_CHURN)


_ALIKE = """
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from supervdsm.network.kernel import addresses, links, routes
from supervdsm.network.kernel.socket import NetlinkSocket

def theirs(cls, message):
    decoded = cls(bytes(message))
    decoded.decode()
    return decoded

count = 0
with NetlinkSocket() as kernel:
    for message in kernel.dump(links.RTM_GETLINK, links.ALL):
        ours, other = links.decode(message), theirs(ifinfmsg, message)
        assert ours.name == other.get_attr("IFLA_IFNAME")
        assert ours.mtu == other.get_attr("IFLA_MTU")
        assert ours.hwaddr == other.get_attr("IFLA_ADDRESS")
        assert ours.master == (other.get_attr("IFLA_MASTER") or 0)
        assert ours.kind == (other.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or "")
        if ours.kind == "bridge":
            data = other.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
            for name, attribute in (("ageing_time", "AGEING_TIME"), ("priority", "PRIORITY")):
                assert ours.options[name] == str(data.get_attr(f"IFLA_BR_{attribute}"))
        count += 1
    for family in addresses.VERSIONS:
        for message in kernel.dump(addresses.RTM_GETADDR, addresses.all_of(family)):
            ours, other = addresses.decode(message), theirs(ifaddrmsg, message)
            assert ours.address == (other.get_attr("IFA_LOCAL") or other.get_attr("IFA_ADDRESS"))
            assert (ours.index, ours.prefixlen) == (other["index"], other["prefixlen"])
            count += 1
    for message in kernel.dump(routes.RTM_GETROUTE, routes.UNICAST):
        (ours,), other = routes.decode(message), theirs(rtmsg, message)
        assert (ours.index, ours.table) == (other.get_attr("RTA_OIF"), other.get_attr("RTA_TABLE"))
        assert ours.gateway == (other.get_attr("RTA_GATEWAY") or "")
        assert ours.metric == (other.get_attr("RTA_PRIORITY") or 0)
        count += 1
print(count)
"""


def test_pyroute2_reads_the_same_bytes_alike(host: Namespace) -> None:
    host.ip("route add default via 192.0.2.1 dev ovirtmgmt metric 100")
    assert int(host.python(_ALIKE)) > 15
