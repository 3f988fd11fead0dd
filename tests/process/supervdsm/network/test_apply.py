# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations carried out by the real kernel; `ip` is the oracle."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from process.supervdsm.network.inside import Call, inside
from process.supervdsm.network.namespace import SOURCES, Namespace
from supervdsm.network import bridging
from supervdsm.network.apply.executor import Executor, OperationFailed
from supervdsm.network.plan.compare import other_options
from supervdsm.network.plan.operations import (
    AddAddress,
    AddRoute,
    AddRule,
    CreateDevice,
    DeleteDevice,
    Operation,
    RemoveAddress,
    RemoveRoute,
    RemoveRule,
    SetHwaddr,
    SetIpv6,
    SetMaster,
    SetMtu,
    SetNameservers,
    SetOptions,
    SetQos,
    SetUp,
    StartDhcp,
    StopDhcp,
)
from supervdsm.network.plan.state import Address, Device, Dhcp, Ipv6, Route, Rule
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

TABLE = 1_234_567_890
ADDRESS = Address("192.0.2.5/24")
ADDRESS6 = Address("2001:db8::5/64")
DEFAULT = Route(device="nic0", destination="0.0.0.0/0", gateway="192.0.2.1")
DEFAULT6 = Route(device="nic0", destination="::/0", gateway="2001:db8::1")
BRIDGE = CreateDevice(Device(name="br", kind="bridge"))
DHCP = Dhcp(ipv4=True, ipv6=False, default_route=True)


@dataclass
class Clients:
    """Stands for the DHCP clients, which are systemd's units: remembers what was asked of it."""

    calls: list[tuple[str, ...]] = field(default_factory=list)

    def start(self, device: str, dhcp: Dhcp) -> None:
        assert dhcp == DHCP
        self.calls.append(("start", device))

    def stop(self, device: str) -> None:
        self.calls.append(("stop", device))


@dataclass
class Host:
    """A namespace with an executor in it, and `nic0`, a veth that is up, with `far`."""

    namespace: Namespace
    call: Call
    dhcp: Clients = field(default_factory=Clients)
    done: list[int] = field(default_factory=list)

    def apply(self, *operations: Operation, batch: int = 100) -> None:
        executor = Executor(
            dhcp=self.dhcp,
            host_root=self.namespace.host_root,
            batch=batch,
            after=self.done.append,
        )
        self.call(executor.apply, operations)

    def twice(self, *operations: Operation) -> None:
        """Apply the same again: that there is nothing to do is no error."""
        self.apply(*operations)
        self.apply(*operations)

    def link(self, name: str) -> dict[str, Any]:
        return self.namespace.ip_json(f"link show {name}")[0]

    def names(self) -> set[str]:
        return {link["ifname"] for link in self.namespace.ip_json("link show")}

    def addresses(self, name: str) -> dict[str, dict[str, Any]]:
        (shown,) = self.namespace.ip_json(f"addr show {name}")
        found = shown["addr_info"]
        return {
            f"{one['local']}/{one['prefixlen']}": one for one in found if one["scope"] != "link"
        }

    def routes(self, family: str = "-4") -> list[dict[str, Any]]:
        found = self.namespace.ip_json(f"{family} route show table all")
        return [route for route in found if route.get("protocol") != "kernel"]

    def sysctl(self, device: str, name: str) -> str:
        path = f"/proc/sys/net/ipv6/conf/{device}/{name}"
        return self.call(_read, path).strip()

    def failure(self, *operations: Operation, batch: int = 100) -> OperationFailed:
        with pytest.raises(OperationFailed) as failed:
            self.apply(*operations, batch=batch)
        return failed.value


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


@pytest.fixture
def host(namespace: Namespace) -> Iterator[Host]:
    namespace.batch("link add nic0 type veth peer name far", "link set far up", "link set nic0 up")
    with inside(namespace.name) as call:
        yield Host(namespace, call)


# --- devices ------------------------------------------------------------------------------------


def test_a_bridge_is_made_down_with_all_that_it_shall_have(host: Host) -> None:
    options = {"stp_state": "1", "forward_delay": "400"}
    device = Device(name="br", kind="bridge", mtu=1400, hwaddr="52:54:00:12:34:56", options=options)
    host.apply(CreateDevice(device))
    made = host.link("br")
    assert "UP" not in made["flags"]
    assert (made["mtu"], made["address"]) == (1400, "52:54:00:12:34:56")
    data = made["linkinfo"]["info_data"]
    assert (data["stp_state"], data["forward_delay"]) == (1, 400)


@pytest.mark.parametrize("mtu", [1400, 9000])
def test_a_bridge_keeps_its_mtu_when_a_smaller_port_comes(host: Host, mtu: int) -> None:
    host.namespace.ip("link set nic0 mtu 1300")
    host.apply(
        CreateDevice(Device(name="br", kind="bridge", mtu=mtu)),
        SetMaster("nic0", "br"),
    )
    assert host.link("br")["mtu"] == mtu


def test_a_device_can_be_used_by_the_operations_after_its_own(host: Host) -> None:
    host.apply(
        BRIDGE,
        SetMaster("nic0", "br"),
        SetMtu("br", 1400),
        SetUp("br", True),
        AddAddress("br", ADDRESS),
        AddRoute(msgspec.structs.replace(DEFAULT, device="br")),
        DeleteDevice("br"),
        BRIDGE,
        AddAddress("br", ADDRESS6),
    )
    assert list(host.addresses("br")) == [ADDRESS6.cidr]
    assert host.done == list(range(1, 10))


def test_up_mtu_hardware_address_and_master_are_set_and_again(host: Host) -> None:
    host.apply(BRIDGE)
    host.twice(
        SetUp("nic0", False),
        SetMtu("nic0", 1400),
        SetHwaddr("nic0", "52:54:00:12:34:56"),
        SetMaster("nic0", "br"),
    )
    nic = host.link("nic0")
    assert "UP" not in nic["flags"]
    assert (nic["mtu"], nic["address"], nic["master"]) == (1400, "52:54:00:12:34:56", "br")
    host.twice(SetUp("nic0", True), SetMaster("nic0", ""))
    nic = host.link("nic0")
    assert "UP" in nic["flags"]
    assert "master" not in nic


_CHOSEN = {
    "forward_delay": "400",
    "hello_time": "300",
    "max_age": "900",
    "priority": "4096",
    "vlan_protocol": "0x88a8",
    "group_fwd_mask": "0x8",
    "group_addr": "01:80:c2:00:00:0d",
    "default_pvid": "7",
    "multicast_igmp_version": "3",
    "multicast_mld_version": "2",
    "hash_max": "1024",
    "hash_elasticity": "16",
    "ageing_time": "10000",
}
"""Of the other options, the test takes one more than the default, or the other of 0 and 1."""

_OPTIONS = """
import json, os, sys
from pathlib import Path
from supervdsm.network import bridging
from supervdsm.network.apply.executor import Executor
from supervdsm.network.plan.operations import SetOptions
wanted = json.loads(sys.argv[1])
files = Path("/sys/class/net/br/bridge")
read = lambda: {name: (files / name).read_text().strip() for name in bridging.OPTIONS
    if (files / name).exists()}
for name, value in read().items():
    if name not in wanted:
        wanted[name] = str(int(value) ^ 1) if value in "01" else str(int(value, 0) + 1)
wanted = {name: wanted[name] for name in read()}
wanted["no_linklocal_learn"] = "1"
Executor(dhcp=None).apply([SetOptions("br", "bridge", wanted)])
found = read() | {"no_linklocal_learn": (files / "no_linklocal_learn").read_text().strip()}
print(json.dumps([wanted, found]))
"""


def test_every_option_of_a_bridge_is_then_in_its_file_in_sysfs(host: Host) -> None:
    host.apply(BRIDGE)
    # A filtering bridge takes no other default VLAN.
    wanted, found = json.loads(host.namespace.python(_OPTIONS, json.dumps(_CHOSEN)))
    # Some depend on how the kernel was built.
    assert len(wanted) > len(bridging.OPTIONS) / 2
    assert other_options(found, wanted) == {}


def test_ipv6_is_set_by_sysctls_and_again(host: Host) -> None:
    host.twice(SetIpv6("nic0", Ipv6(disabled=False, accept_ra=2, autoconf=False, defrtr=False)))
    assert [host.sysctl("nic0", name) for name in _SYSCTLS] == ["0", "2", "0", "0"]
    host.twice(SetIpv6("nic0", Ipv6(disabled=True, accept_ra=0, autoconf=True)))
    assert [host.sysctl("nic0", name) for name in _SYSCTLS] == ["1", "0", "1", "1"]


_SYSCTLS = ("disable_ipv6", "accept_ra", "autoconf", "accept_ra_defrtr")


def test_a_device_that_is_gone_is_removed_already(host: Host) -> None:
    host.apply(BRIDGE)
    host.twice(DeleteDevice("br"))
    assert host.names() == {"lo", "nic0", "far"}


# --- addresses, routes, rules -------------------------------------------------------------------


def test_addresses_are_added_and_removed_and_again(host: Host) -> None:
    host.twice(AddAddress("nic0", ADDRESS), AddAddress("nic0", ADDRESS6))
    found = host.addresses("nic0")
    assert set(found) == {ADDRESS.cidr, ADDRESS6.cidr}
    assert found[ADDRESS.cidr]["broadcast"] == "192.0.2.255"
    host.twice(RemoveAddress("nic0", ADDRESS), RemoveAddress("nic0", ADDRESS6))
    assert host.addresses("nic0") == {}


def test_a_lease_comes_back_with_what_is_left_of_it(host: Host) -> None:
    host.apply(AddAddress("nic0", Address("192.0.2.5/24", lifetime=600)))
    assert 590 <= host.addresses("nic0")["192.0.2.5/24"]["valid_life_time"] <= 600


def test_routes_are_added_and_removed_and_again(host: Host) -> None:
    host.apply(AddAddress("nic0", ADDRESS), AddAddress("nic0", ADDRESS6))
    source = msgspec.structs.replace(DEFAULT, table=TABLE, metric=7, source="192.0.2.5")
    routes = (DEFAULT, DEFAULT6, source)
    host.twice(*(AddRoute(route) for route in routes))
    found = host.routes()
    assert [(one["gateway"], one.get("table"), one.get("metric")) for one in found] == [
        ("192.0.2.1", str(TABLE), 7),
        ("192.0.2.1", "main", None),
    ]
    assert found[0]["prefsrc"] == "192.0.2.5"
    (found6,) = host.routes("-6")
    assert (found6["dst"], found6["gateway"], found6["protocol"]) == (
        "default",
        "2001:db8::1",
        "static",
    )
    host.twice(*(RemoveRoute(route) for route in routes))
    assert host.routes() == host.routes("-6") == []


def test_a_route_by_another_gateway_does_not_hide_that_ours_is_missing(host: Host) -> None:
    host.apply(AddAddress("nic0", ADDRESS), AddRoute(DEFAULT))
    other = msgspec.structs.replace(DEFAULT, gateway="192.0.2.2")
    host.twice(AddRoute(other))
    assert [route["gateway"] for route in host.routes()] == ["192.0.2.2", "192.0.2.1"]
    host.apply(RemoveRoute(DEFAULT))
    assert [route["gateway"] for route in host.routes()] == ["192.0.2.2"]


def test_a_route_is_removed_whatever_protocol_made_it(host: Host) -> None:
    host.apply(AddAddress("nic0", ADDRESS))
    host.namespace.ip("route add default via 192.0.2.1 dev nic0 proto dhcp")
    host.apply(RemoveRoute(DEFAULT))
    assert host.routes() == []


def test_what_went_with_its_device_is_removed_already(host: Host) -> None:
    gone = msgspec.structs.replace(DEFAULT, device="gone")
    host.apply(RemoveAddress("gone", ADDRESS), RemoveRoute(gone))
    assert host.done == [1, 2]


def test_rules_are_added_and_removed_and_again(host: Host) -> None:
    rules = (
        Rule(table=TABLE, source="192.0.2.0/24"),
        Rule(table=TABLE, destination="192.0.2.0/24", iif="nic0"),
        Rule(table=TABLE, source="2001:db8::/64", version=6),
    )
    host.twice(*(AddRule(rule) for rule in rules))
    shown = [
        rule
        for family in ("-4", "-6")
        for rule in host.namespace.ip_json(f"{family} rule show")
        if rule["priority"] == 3200
    ]
    assert [(one["src"], one.get("dst"), one.get("iif"), one["table"]) for one in shown] == [
        ("192.0.2.0", None, None, str(TABLE)),
        ("all", "192.0.2.0", "nic0", str(TABLE)),
        ("2001:db8::", None, None, str(TABLE)),
    ]
    host.twice(*(RemoveRule(rule) for rule in rules))
    assert str(TABLE) not in host.namespace.ip("rule show") + host.namespace.ip("-6 rule show")


# --- services -----------------------------------------------------------------------------------


def test_name_servers_and_dhcp_clients_come_in_their_order(host: Host) -> None:
    (host.namespace.host_root / "etc/resolv.conf").write_text("search example.org\n")
    host.apply(
        StopDhcp("nic0"),
        BRIDGE,
        StartDhcp("br", DHCP),
        SetNameservers(("192.0.2.53",)),
    )
    assert host.dhcp.calls == [("stop", "nic0"), ("start", "br")]
    text = (host.namespace.host_root / "etc/resolv.conf").read_text()
    assert text == "search example.org\nnameserver 192.0.2.53\n"
    assert host.done == [1, 2, 3, 4]


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "number", "words"),
    [
        (SetUp("gone", True), errno.ENODEV, "No such device"),
        (SetMtu("nic0", 20), errno.EINVAL, "mtu less than device minimum"),
        (CreateDevice(Device(name="nic0", kind="bridge")), errno.EEXIST, "File exists"),
        (SetMaster("nic0", "gone"), errno.ENODEV, "there is no device gone"),
        (SetMaster("nic0", "far"), errno.EOPNOTSUPP, "Operation not supported"),
        (SetMaster("br", "br"), errno.ELOOP, "Can not enslave a bridge to a bridge"),
        (AddRoute(DEFAULT), errno.ENETUNREACH, "Nexthop has invalid gateway"),
        (AddAddress("gone", ADDRESS), errno.ENODEV, "there is no device gone"),
        (DeleteDevice("lo"), errno.EOPNOTSUPP, "Operation not supported"),
        (SetOptions("br", "bridge", {"forward_delay": "1", "stp_state": "1"}), 0, ""),
        (SetOptions("br", "bridge", {"hello_time": "5"}), errno.ERANGE, "out of range"),
        (SetOptions("br", "bridge", {"nonsense": "5"}), errno.ENOENT, "No such file"),
    ],
    ids=str,
)
def test_an_error_has_the_kernel_s_own_words_and_the_operation_s(
    host: Host, operation: Operation, number: int, words: str
) -> None:
    host.apply(BRIDGE)
    if not number:
        host.apply(operation)
        return
    failure = host.failure(operation)
    assert (failure.operation, failure.errno) == (operation, number)
    assert words in failure.reason
    assert str(failure).startswith(f"Failed to {operation}: ")


def test_shaping_that_the_kernel_does_not_have_fails(host: Host) -> None:
    qos = (DeviceQos(HostQos(QosClass(ls=QosCurve(m2=8000))), 7),)
    failure = host.failure(SetQos("gone", qos))
    assert failure.errno == errno.ENODEV


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_operations_before_a_failed_one_were_done_and_are_counted(host: Host, batch: int) -> None:
    operations: list[Operation] = [
        BRIDGE,
        SetUp("br", True),
        SetMtu("nic0", 1400),
        SetUp("gone", True),
        SetMtu("nic0", 1300),
        AddAddress("br", ADDRESS),
    ]
    failure = host.failure(*operations, batch=batch)
    assert failure.operation == operations[3]
    assert host.done == [1, 2, 3]
    assert "UP" in host.link("br")["flags"]
    if batch == 1:
        assert host.link("nic0")["mtu"] == 1400
        assert host.addresses("br") == {}


def test_a_failure_before_a_missing_device_is_the_one_that_is_told(host: Host) -> None:
    failure = host.failure(SetUp("gone", True), AddAddress("missing", ADDRESS))
    assert failure.operation == SetUp("gone", True)


def test_it_stops_where_the_hook_of_a_test_stops_it(host: Host) -> None:
    class Stopped(Exception):
        pass

    def stop(number: int) -> None:
        if number == 2:
            raise Stopped

    executor = Executor(dhcp=host.dhcp, batch=1, after=stop)
    operations: list[Operation] = [BRIDGE, SetUp("br", True), AddAddress("br", ADDRESS)]
    with pytest.raises(Stopped):
        host.call(executor.apply, operations)
    assert "UP" in host.link("br")["flags"]
    assert host.addresses("br") == {}


# --- many ---------------------------------------------------------------------------------------


def test_devices_are_removed_together_and_no_others(host: Host) -> None:
    host.apply(*(CreateDevice(Device(name=f"br{i}", kind="bridge")) for i in range(5)))
    host.namespace.ip("link set br3 group 7")
    host.namespace.ip("link del br1")
    host.done.clear()
    host.twice(*(DeleteDevice(f"br{i}") for i in range(4)))
    assert host.names() == {"lo", "nic0", "far", "br4"}
    assert host.done == [1, 2, 3, 4] * 2


def test_of_devices_removed_together_the_one_that_cannot_be_is_named(host: Host) -> None:
    host.apply(*(CreateDevice(Device(name=f"br{i}", kind="bridge")) for i in range(3)))
    host.done.clear()
    failure = host.failure(
        DeleteDevice("br0"), DeleteDevice("br1"), DeleteDevice("lo"), DeleteDevice("br2")
    )
    assert (failure.operation, failure.errno) == (DeleteDevice("lo"), errno.EOPNOTSUPP)
    assert host.done == [1, 2]
    assert host.link("lo")["group"] == "default"


_DELETE = """
import sys
from supervdsm.network.apply.executor import Executor
from supervdsm.network.plan.operations import DeleteDevice
operations = [DeleteDevice(f"br{i}") for i in range(int(sys.argv[1]))]
print("ready", flush=True)
Executor(dhcp=None).apply(operations)
"""


def test_a_process_killed_while_it_removes_devices_leaves_none_in_a_group(host: Host) -> None:
    # Each port takes the kernel a while.
    for i in range(20):
        host.namespace.batch(
            f"link add v{i} type veth peer name w{i}",
            f"link add br{i} type bridge",
            f"link set v{i} master br{i}",
        )
    # A process that entered by itself: `ip netns exec` would be a second one to kill.
    enter = ["ip", "netns", "exec", host.namespace.name]
    with subprocess.Popen(
        [*enter, sys.executable, "-c", _DELETE, "20"],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    links = host.namespace.ip_json("link show")
    assert {link["group"] for link in links} == {"default"}
    assert sum(link["ifname"].startswith("br") for link in links) in {0, 20}


def test_a_thousand_devices_are_changed_and_removed(host: Host) -> None:
    # Not bridges: of those, the kernel removes some fifty in a second.
    names = [f"v{i}" for i in range(1000)]
    pairs = (f"link add {name} type veth peer name w{name}" for name in names)
    host.namespace.batch(*pairs)
    host.apply(
        *(SetMtu(name, 1400) for name in names),
        *(AddAddress(name, Address(f"10.{i >> 8}.{i & 255}.1/24")) for i, name in enumerate(names)),
        *(SetUp(name, True) for name in names),
    )
    assert host.done == list(range(1, 3001))
    shown = {one["ifname"]: one for one in host.namespace.ip_json("-4 addr show")}
    assert {shown[name]["mtu"] for name in names} == {1400}
    assert all("UP" in shown[name]["flags"] for name in names)
    host.apply(*map(DeleteDevice, names))
    assert host.names() == {"lo", "nic0", "far"}
