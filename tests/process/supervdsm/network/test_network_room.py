# SPDX-License-Identifier: GPL-2.0-or-later
"""The network room against a real kernel; `ip` is the oracle."""

import ipaddress
import json
import time
from typing import Any

import pytest

from process.supervdsm.network.namespace import Namespace
from supervdsm.network.plan.state import source_table


@pytest.fixture
def host(namespace: Namespace) -> Namespace:
    """A small host: a NIC in a bridge with addresses, a NIC beside it, and what is not ours."""
    namespace.batch(
        "link add nic0 mtu 1400 type veth peer name veth_far",
        "link add nic1 type veth peer name other",
        "link add ovirtmgmt type bridge stp_state 1 forward_delay 400",
        "link add vx0 type vxlan id 5 dstport 4789 local 192.0.2.5",
        "link add mv0 link other type macvlan",
        "link set nic0 master ovirtmgmt",
        "link set nic0 up",
        "link set veth_far up",
        "link set nic1 up",
        "link set other up",
        "link set ovirtmgmt up",
        "addr add 192.0.2.5/24 dev ovirtmgmt valid_lft 600 preferred_lft 300",
        "addr add 192.0.2.6/24 dev ovirtmgmt",
        "addr add 2001:db8::5/64 dev ovirtmgmt nodad",
        "addr add 2001:db8::99/128 dev nic1 valid_lft 600 preferred_lft 300 nodad",
        "addr add 198.51.100.5/16 dev nic1",
        "addr add 203.0.113.1 peer 203.0.113.2/32 dev nic1",
        "route add default via 192.0.2.1 dev ovirtmgmt metric 100",
        "route add default via 2001:db8::1 dev ovirtmgmt",
        f"route add default via 198.51.100.1 dev nic1 table {source_table('nic1')}",
    )
    nets = namespace.state_dir / "staging/netconf.abcdefgh/nets"
    nets.mkdir(parents=True)
    (namespace.state_dir / "staging/netconf").symlink_to("netconf.abcdefgh")
    for name, attributes in {
        "ovirtmgmt": {"nic": "nic0", "bridged": True, "mtu": 1400},
        "storage": {"nic": "nic1", "bridged": False},
        "gone": {"nic": "nic9", "bridged": False},
    }.items():
        (nets / name).write_text(json.dumps(attributes))
    (nets / "broken").write_text("{")
    (namespace.host_root / "etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    return namespace


def test_devices_are_those_that_ip_tells(host: Namespace) -> None:
    caps = host.caps()
    links = {link["ifname"]: link for link in host.ip_json("link show")}
    assert set(caps.nics) == {"nic0", "nic1", "veth_far"}
    assert set(caps.bridges) == {"ovirtmgmt"}
    assert (caps.bondings, caps.vlans) == ({}, {})
    for name, nic in caps.nics.items():
        assert (nic.hwaddr, nic.mtu) == (links[name]["address"], str(links[name]["mtu"]))
        # veth says 10 Gbit/s.
        assert nic.speed == 10000
    assert caps.bridges["ovirtmgmt"].ports == ["nic0"]
    assert caps.bridges["ovirtmgmt"].stp == "on"


def test_addresses_are_those_that_ip_tells(host: Namespace) -> None:
    caps = host.caps()
    for device in host.ip_json("addr show"):
        shown = caps.nics.get(device["ifname"]) or caps.bridges.get(device["ifname"])
        if shown is None:
            continue
        told = [item for item in device["addr_info"] if item["scope"] != "link"]
        for family, addresses in (("inet", shown.ipv4addrs), ("inet6", shown.ipv6addrs)):
            assert sorted(addresses) == sorted(
                f"{item['local']}/{item['prefixlen']}" for item in told if item["family"] == family
            )
        primary = [a for a in told if a["family"] == "inet" and not a.get("secondary")]
        if primary:
            network = ipaddress.ip_network((0, primary[0]["prefixlen"]))
            assert (shown.addr, shown.netmask) == (primary[0]["local"], str(network.netmask))
        else:
            assert (shown.addr, shown.netmask) == ("", "")


def test_leases_are_told_by_their_lifetime(host: Namespace) -> None:
    caps = host.caps()
    bridge, nic1 = caps.bridges["ovirtmgmt"], caps.nics["nic1"]
    assert (bridge.dhcpv4, bridge.dhcpv6) == (True, False)
    assert (nic1.dhcpv4, nic1.dhcpv6) == (False, True)


def test_gateways(host: Namespace) -> None:
    caps = host.caps()
    bridge, nic0, nic1 = caps.bridges["ovirtmgmt"], caps.nics["nic0"], caps.nics["nic1"]
    assert (bridge.gateway, bridge.ipv4defaultroute) == ("192.0.2.1", True)
    assert bridge.ipv6gateway == "2001:db8::1"
    assert (nic1.gateway, nic1.ipv4defaultroute) == ("198.51.100.1", False)
    assert (nic0.gateway, nic0.ipv6gateway, nic0.ipv4defaultroute) == ("", "::", False)


def test_each_next_hop_of_a_multipath_route_is_a_gateway(host: Namespace) -> None:
    host.ip("route del default")
    host.ip(
        "route add default nexthop via 192.0.2.1 dev ovirtmgmt nexthop via 198.51.100.9 dev nic1"
    )
    caps = host.caps()
    assert caps.bridges["ovirtmgmt"].gateway == "192.0.2.1"
    assert caps.nics["nic1"].gateway == "198.51.100.9"


def test_ipv6_autoconf_follows_the_kernels_settings(host: Namespace) -> None:
    assert host.caps().nics["nic1"].ipv6autoconf is True
    host.python("open('/proc/sys/net/ipv6/conf/nic1/accept_ra', 'w').write('0')")
    assert host.caps().nics["nic1"].ipv6autoconf is False


_BRIDGE_FILES = """
import json, os
directory = "/sys/class/net/ovirtmgmt/bridge/"
files = [name for name in os.listdir(directory) if name != "flush"]
print(json.dumps({name: open(directory + name).read().strip() for name in files}))
"""


def test_bridge_options_are_all_that_sysfs_tells(host: Namespace) -> None:
    for _ in range(20):
        before: dict[str, str] = json.loads(host.python(_BRIDGE_FILES))
        opts = host.caps().bridges["ovirtmgmt"].opts
        after: dict[str, str] = json.loads(host.python(_BRIDGE_FILES))
        if int(before["gc_timer"]) > int(after["gc_timer"]):
            break
    else:
        pytest.fail("the timer started anew each time")
    assert set(opts) == set(before)
    assert int(before["gc_timer"]) >= int(opts["gc_timer"]) >= int(after["gc_timer"])
    timers = {name for name in opts if name.endswith("_timer")}
    assert {name: opts[name] for name in opts.keys() - timers} == {
        name: before[name] for name in before.keys() - timers
    }
    assert (opts["forward_delay"], opts["stp_state"]) == ("400", "1")


def test_networks_are_the_running_ones_whose_device_exists(host: Namespace) -> None:
    caps = host.caps()
    assert set(caps.networks) == {"ovirtmgmt", "storage"}
    management, storage = caps.networks["ovirtmgmt"], caps.networks["storage"]
    assert (management.iface, management.southbound) == ("ovirtmgmt", "nic0")
    assert (management.ports, management.stp, management.addr) == (["nic0"], "on", "192.0.2.5")
    assert (storage.interface, storage.bridged, storage.addr) == ("nic1", False, "198.51.100.5")
    assert caps.nameservers == ["192.0.2.53"]
    assert caps.supportsIPv6 is True


def test_a_nic_without_carrier_is_down_and_has_no_speed(host: Namespace) -> None:
    host.ip("link set other down")
    while host.ip_json("link show nic1")[0]["operstate"] != "LOWERLAYERDOWN":
        # The kernel says so a moment later.
        time.sleep(0.01)
    caps, stats = host.caps(), host.stats()
    assert caps.nics["nic1"].speed == 0
    assert (stats.network["nic1"].state, stats.network["nic1"].speed) == ("down", "1000")
    assert (stats.network["nic0"].state, stats.network["nic0"].speed) == ("up", "10000")
    assert stats.network["nic0"].duplex == "full"


def counters(host: Namespace) -> dict[str, Any]:
    return {link["ifname"]: link["stats64"] for link in host.ip_json("-s link show")}


def test_counters_are_those_that_ip_tells(host: Namespace) -> None:
    before = time.time()
    host.ip("link set ovirtmgmt type bridge stp_state 0 mcast_snooping 0")
    host.python("open('/proc/sys/net/ipv6/conf/all/disable_ipv6', 'w').write('1')")
    for _ in range(20):
        # A last packet may still be on its way: compare when the devices rested meanwhile.
        told = counters(host)
        stats = host.stats()
        if counters(host) == told:
            break
    else:
        pytest.fail("the devices never rested")
    assert set(stats.network) == {"nic0", "nic1", "veth_far", "ovirtmgmt"}
    for name, device in stats.network.items():
        rx, tx = told[name]["rx"], told[name]["tx"]
        assert (device.rx, device.tx) == (str(rx["bytes"]), str(tx["bytes"]))
        assert (device.rxErrors, device.txErrors) == (str(rx["errors"]), str(tx["errors"]))
        assert (device.rxDropped, device.txDropped) == (str(rx["dropped"]), str(tx["dropped"]))
        assert before <= device.sampleTime <= time.time()
    assert stats.rxDropped == sum(told[name]["rx"]["dropped"] for name in stats.network)
    assert stats.txDropped == sum(told[name]["tx"]["dropped"] for name in stats.network)


_THREADS = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from supervdsm.network.room import NetworkRoom
room = NetworkRoom(host_root=Path("/"), state_dir=Path("/nonexistent"))
room.network_caps()
before = len(os.listdir("/proc/self/fd"))
with ThreadPoolExecutor(8) as pool:
    calls = [pool.submit(room.network_caps if i % 2 else room.network_stats) for i in range(80)]
    for call in calls:
        call.result()
print(len(os.listdir("/proc/self/fd")) - before)
"""


def test_calls_from_many_threads_leave_no_file_descriptor(host: Namespace) -> None:
    assert host.python(_THREADS).strip() == "0"


_CHURN = """
import subprocess, sys
from pathlib import Path
from supervdsm.network.room import NetworkRoom
room = NetworkRoom(host_root=Path("/"), state_dir=Path("/nonexistent"))
lines = []
for i in range(60):
    lines += [f"link add veth_{i % 7} type veth peer name brp{i % 7}",
              f"link add br{i % 7} type bridge", f"link set veth_{i % 7} up",
              f"link set brp{i % 7} up", f"link set brp{i % 7} master br{i % 7}",
              f"link del br{i % 7}", f"link del veth_{i % 7}"]
churn = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)
churn.stdin.write("\\n".join(lines))
churn.stdin.close()
calls = seen = 0
while churn.poll() is None:
    caps = room.network_caps()
    assert {"nic0", "nic1"} <= set(caps.nics), caps.nics
    assert {"nic0", "nic1"} <= set(room.network_stats().network)
    seen += any(name.startswith("br") for name in caps.bridges)
    calls += 1
assert churn.returncode == 0
assert calls > 3, calls
"""


def test_devices_that_come_and_go_harm_nobody(host: Namespace) -> None:
    host.python(_CHURN)


_NO_SOCKET = """
import resource
from pathlib import Path
from supervdsm.network.room import NetworkRoom
from vdsm_contract.errors import NetlinkFailed
room = NetworkRoom(host_root=Path("/"), state_dir=Path("/nonexistent"))
room.network_caps()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
try:
    room.network_stats()
except NetlinkFailed as error:
    print(error.errno)
"""


def test_a_kernel_that_gives_no_socket_is_a_typed_error(host: Namespace) -> None:
    assert host.python(_NO_SOCKET).strip() == "24"  # EMFILE
