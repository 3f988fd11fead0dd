# SPDX-License-Identifier: GPL-2.0-or-later
"""Each other owner that a NIC of vdsm's can have, and how each of them says so."""

import json
from collections.abc import Callable

import pytest

from vdsm_tool.finding import Finding, Level
from vdsm_tool.fitness import network_owners
from vdsm_tool.host import Host

EVERY = (
    network_owners.network_manager,
    network_owners.networkd,
    network_owners.networkd_routes,
    network_owners.ifupdown,
    network_owners.dhcp_clients,
)


def write(host: Host, path: str, text: str) -> None:
    file = host.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def run(host: Host, pid: int, comm: str, command: str = "", unit: str = "") -> None:
    """Have a process."""
    write(host, f"/proc/{pid}/comm", f"{comm}\n")
    write(host, f"/proc/{pid}/cmdline", command.replace(" ", "\0"))
    write(host, f"/proc/{pid}/cgroup", f"0::/system.slice/{unit}\n")


@pytest.fixture
def nics(host: Host) -> Host:
    """A host with three NICs and a bridge."""
    for index, name in enumerate(("lo", "eth0", "eth1", "eth2", "ovirtmgmt"), start=1):
        write(host, f"/sys/class/net/{name}/ifindex", f"{index}\n")
        if name.startswith("eth"):
            host.path(f"/sys/class/net/{name}/device").mkdir()
    return host


@pytest.fixture
def used(nics: Host) -> Host:
    """The same, where vdsm uses two of them: one itself and one by a bond."""
    tree = "/var/lib/vdsm/staging/netconf.abcdefgh"
    write(nics, f"{tree}/nets/ovirtmgmt", json.dumps({"nic": "eth0"}))
    write(nics, f"{tree}/nets/storage", json.dumps({"bonding": "bond0", "vlan": 5}))
    for broken in ("{", "[]", json.dumps({"nic": 5})):
        write(nics, f"{tree}/nets/broken{len(broken)}", broken)
    write(nics, f"{tree}/bonds/bond0", json.dumps({"nics": ["eth1"]}))
    # Absolute, as vdsm from packages writes it.
    nics.path("/var/lib/vdsm/staging/netconf").symlink_to(tree)
    return nics


@pytest.mark.parametrize("check", EVERY)
def test_a_host_without_others_is_well(used: Host, check: Callable[[Host], Finding]) -> None:
    assert check(used).level is Level.OK


def test_networkmanager_owns_what_it_says_that_it_manages(used: Host) -> None:
    run(used, 700, "NetworkManager")
    write(used, "/run/NetworkManager/devices/2", "[device]\nmanaged=true\nconnection-uuid=x\n")
    write(used, "/run/NetworkManager/devices/3", "[device]\nmanaged=false\n")
    write(used, "/run/NetworkManager/devices/4", "[device]\nmanaged=true\n")
    finding = network_owners.network_manager(used)
    assert finding.level is Level.FAIL
    assert finding.detail == "also owns vdsm's eth0"
    assert "unmanaged-devices=interface-name:eth0;" in finding.way_out


def test_what_a_networkmanager_left_that_does_not_run_counts_for_nothing(used: Host) -> None:
    write(used, "/run/NetworkManager/devices/2", "[device]\nmanaged=true\n")
    assert network_owners.network_manager(used).level is Level.OK


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ("configured", Level.FAIL),
        ("configuring", Level.FAIL),
        ("failed", Level.FAIL),
        ("unmanaged", Level.OK),
    ],
)
def test_networkd_owns_what_it_configures(used: Host, state: str, level: Level) -> None:
    run(used, 700, "systemd-network")
    text = f"# This is private data.\nADMIN_STATE={state}\nOPER_STATE=routable\n"
    write(used, "/run/systemd/netif/links/3", text)
    finding = network_owners.networkd(used)
    assert finding.level is level
    if level is Level.FAIL:
        assert "Name=eth1," in finding.way_out


@pytest.mark.parametrize(
    ("files", "level"),
    [
        ({}, Level.WARN),
        ({"networkd.conf": "[Network]\nManageForeignRoutes=no\n"}, Level.WARN),
        (
            {
                "networkd.conf": "[Network]\n#ManageForeignRoutes=yes\nManageForeignRoutes=no\n",
                "networkd.conf.d/vdsm.conf": "[Network]\nManageForeignRoutingPolicyRules = no\n",
            },
            Level.OK,
        ),
        (
            {
                "networkd.conf": "ManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
                "networkd.conf.d/other.conf": "ManageForeignRoutes=yes\n",
            },
            Level.WARN,
        ),
    ],
)
def test_networkd_is_told_to_leave_the_rules_of_others(
    used: Host, files: dict[str, str], level: Level
) -> None:
    run(used, 700, "systemd-network")
    for name, text in files.items():
        write(used, f"/etc/systemd/{name}", text)
    assert network_owners.networkd_routes(used).level is level


@pytest.mark.parametrize(
    ("stanza", "level"),
    [
        ("auto eth0\niface eth0 inet dhcp\n", Level.FAIL),
        ("iface eth1 inet6 static\n    address 2001:db8::1/64\n", Level.FAIL),
        ("iface eth0:1 inet static\n", Level.FAIL),
        ("iface eth0 inet manual\n", Level.OK),
        ("# iface eth0 inet dhcp\n", Level.OK),
        ("iface eth2 inet dhcp\niface lo inet loopback\n", Level.OK),
    ],
)
@pytest.mark.parametrize("file", ["interfaces", "interfaces.d/nics"])
def test_ifupdown_owns_what_it_has_a_method_for(
    used: Host, stanza: str, level: Level, file: str
) -> None:
    write(used, "/usr/sbin/ifup", "")
    write(used, f"/etc/network/{file}", stanza)
    assert network_owners.ifupdown(used).level is level


def test_interfaces_without_ifupdown_count_for_nothing(used: Host) -> None:
    write(used, "/etc/network/interfaces", "iface eth0 inet dhcp\n")
    assert network_owners.ifupdown(used).level is Level.OK


@pytest.mark.parametrize(
    ("comm", "command", "unit", "level"),
    [
        ("dhclient", "/sbin/dhclient -4 -v eth0", "session.scope", Level.FAIL),
        ("dhcpcd", "dhcpcd: eth1 [ip4]", "dhcpcd@eth1.service", Level.FAIL),
        ("dhcpcd", "dhcpcd: [manager] [ip4] [ip6]", "dhcpcd.service", Level.FAIL),
        ("dhclient", "/sbin/dhclient eth2", "session.scope", Level.OK),
        ("dhclient", "dhclient eth0", "NetworkManager.service", Level.OK),
        ("dhcpcd", "dhcpcd: eth0 [ip4]", "a.slice/vdsm-dhcp@eth0.service/payload", Level.OK),
    ],
)
def test_a_dhcp_client_owns_the_nics_on_its_command_line(
    used: Host, comm: str, command: str, unit: str, level: Level
) -> None:
    run(used, 800, comm, command, unit)
    assert network_owners.dhcp_clients(used).level is level


def test_while_vdsm_has_no_networks_an_owner_is_a_warning(nics: Host) -> None:
    run(nics, 700, "NetworkManager")
    for index in (2, 3, 5):
        write(nics, f"/run/NetworkManager/devices/{index}", "[device]\nmanaged=true\n")
    finding = network_owners.network_manager(nics)
    assert finding.level is Level.WARN
    assert "eth0, eth1, which vdsm may be given" in finding.detail


def test_the_persistent_configuration_counts_when_none_runs(nics: Host) -> None:
    write(nics, "/var/lib/vdsm/persistence/netconf/nets/a", json.dumps({"nic": "eth2"}))
    write(nics, "/usr/sbin/ifup", "")
    write(nics, "/etc/network/interfaces", "iface eth0 inet dhcp\n")
    assert network_owners.ifupdown(nics).level is Level.OK


def test_a_process_that_has_just_ended_is_none(used: Host) -> None:
    used.path("/proc/900").mkdir(parents=True)
    for check in EVERY:
        assert check(used).level is Level.OK
