# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP clients in their real units, against a real server in a network namespace of the host."""

import ast
import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine

PYTHON = "/opt/venv/bin/python"
DEVICE, FAR, SERVER = "veth_dhcp-0.5", "server", "dhcp-server"
UNIT, CONTAINER = f"vdsm-dhcp@{DEVICE}.service", f"vdsm-dhcp-{DEVICE}"

LAB = f"""
ip netns add {SERVER}
ip link add {DEVICE} type veth peer name {FAR} netns {SERVER}
ip link set {DEVICE} up
ip -n {SERVER} link set {FAR} up
ip -n {SERVER} address add 198.51.100.1/24 dev {FAR}
ip -n {SERVER} address add 2001:db8:1::1/64 dev {FAR} nodad
ip netns exec {SERVER} dnsmasq --port=0 --no-resolv --no-ping --user=root --bind-interfaces \
  --interface={FAR} --dhcp-authoritative --enable-ra --log-dhcp --pid-file=/run/dhcp-server.pid \
  --dhcp-range=198.51.100.10,198.51.100.20,2m \
  --dhcp-range=2001:db8:1::100,2001:db8:1::1ff,64,2m \
  --dhcp-option=option:dns-server,198.51.100.53 \
  --dhcp-leasefile=/run/dhcp-server.leases --log-facility=/run/dhcp-server.log
"""
END = f"""
kill $(cat /run/dhcp-server.pid)
rm -f /run/dhcp-server.*
ip link delete {DEVICE}
ip netns delete {SERVER}
"""

BOTH, OTHER, MAIN = "Dhcp(True, True, False)", "Dhcp(True, False, False)", "Dhcp(True, False, True)"

PROGRAM = """
import ast, sys
from supervdsm.network.plan.state import Dhcp
from supervdsm.network.services.dhcp import DhcpClients
from vdsm_contract.errors import ServiceFailed
clients = DhcpClients()
try:
    print(repr(eval(sys.argv[1])))
except ServiceFailed as error:
    print(repr((error.unit, error.reason)))
"""


def clients(host: Machine, call: str) -> object:
    """Call a method of DhcpClients in supervdsm's container."""
    done = host.run("podman", "exec", "supervdsm", PYTHON, "-c", PROGRAM, f"clients.{call}")
    try:
        answer: object = ast.literal_eval(done.stdout)
    except ValueError:
        return done.stdout.strip()
    return answer


def start(host: Machine, dhcp: str) -> None:
    assert clients(host, f"start('{DEVICE}', {dhcp})") is None


def bound(host: Machine) -> None:
    leases = f"/run/vdsm/leases/{DEVICE}.json"
    host.wait(f"grep -qs address {leases}")


def addresses(host: Machine, version: int = 4) -> list[str]:
    found = host.sh(f"ip -{version} -o address show dev {DEVICE} scope global dynamic")
    return [line.split()[3] for line in found.splitlines()]


def ways(host: Machine) -> str:
    """Routes and rules of the client."""
    return host.sh(f"ip -4 route show table all dev {DEVICE}; ip rule | grep ^3200 || true")


@pytest.fixture
def lab(host: Machine) -> Iterator[Machine]:
    host.sh(LAB)
    try:
        yield host
    finally:
        clients(host, f"stop('{DEVICE}')")
        host.sh(END)


def test_a_lease_comes_with_source_routes(lab: Machine) -> None:
    start(lab, BOTH)
    lab.wait(f"grep -qs 2001:db8 /run/vdsm/leases/{DEVICE}.json")
    bound(lab)
    (address,) = addresses(lab)
    assert address.startswith("198.51.100.")
    (address6,) = addresses(lab, 6)
    assert address6.startswith("2001:db8:1::1")
    assert "default via 198.51.100.1" in ways(lab)
    assert ways(lab).count("3200:") == 2
    assert lab.sh("ip -4 route show default dev " + DEVICE) == ""
    assert str(clients(lab, "running()")).startswith(f"{{'{DEVICE}': ")
    assert lab.show(UNIT, "ActiveState") == "active"


def test_the_lease_outlives_supervdsm_and_the_client(lab: Machine) -> None:
    start(lab, OTHER)
    bound(lab)
    before, address = ways(lab), addresses(lab)
    old = lab.kill("supervdsm")
    lab.wait_for_restart("supervdsm", old)
    assert (ways(lab), addresses(lab)) == (before, address)
    asked = "$(grep -c DHCPREQUEST /run/dhcp-server.log)"
    old = lab.kill(CONTAINER)
    assert (ways(lab), addresses(lab)) == (before, address)
    # systemd alone starts it again, and it asks for the same address.
    lab.wait(f'[ "{asked}" = 2 ]')
    lab.wait(f"[ $(systemctl show -P SubState {UNIT}) = running ]")
    assert lab.pid(CONTAINER) != old
    assert (ways(lab), addresses(lab)) == (before, address)
    assert str(clients(lab, "running()")).startswith(f"{{'{DEVICE}': ")
    assert lab.sh("grep -c DHCPDISCOVER /run/dhcp-server.log") == "1"


def test_a_stop_or_restart_of_the_unit_keeps_the_address(lab: Machine) -> None:
    start(lab, OTHER)
    bound(lab)
    address = addresses(lab)
    lab.sh(f"systemctl restart {UNIT}")
    assert addresses(lab) == address
    lab.sh("systemctl stop vdsm.target")
    assert lab.show(UNIT, "ActiveState") == "active"
    lab.sh("systemctl start vdsm.target")
    lab.sh(f"systemctl stop {UNIT}")
    assert addresses(lab) == address
    assert lab.sh("grep -c DHCPRELEASE /run/dhcp-server.log || true") == "0"


def test_the_end_of_dhcp_releases_the_lease(lab: Machine) -> None:
    start(lab, BOTH)
    lab.wait(f"grep -qs 2001:db8 /run/vdsm/leases/{DEVICE}.json")
    bound(lab)
    assert clients(lab, f"stop('{DEVICE}')") is None
    assert addresses(lab) == addresses(lab, 6) == []
    assert ways(lab) == ""
    lab.wait("grep -q 'DHCPRELEASE(' /run/dhcp-server.log")
    assert lab.show(UNIT, "ActiveState") == "inactive"
    assert lab.sh("ls /run/vdsm/dhcp /run/vdsm/leases").split() == [
        "/run/vdsm/dhcp:",
        "/run/vdsm/leases:",
    ]


def test_a_missing_device_is_told_by_dhcpcd_s_own_words(lab: Machine) -> None:
    answer = clients(lab, f"start('gone0', {MAIN})")
    assert isinstance(answer, tuple)
    unit, reason = answer
    assert unit == "vdsm-dhcp@gone0.service"
    assert "interface not found" in reason
    assert lab.show(unit, "ActiveState") == "inactive"


def test_without_a_wish_the_unit_does_not_run(lab: Machine) -> None:
    lab.sh(f"systemctl start {UNIT}")
    assert lab.show(UNIT, "ActiveState") == "inactive"
    assert lab.show(UNIT, "ConditionResult") == "no"


def test_the_client_has_few_privileges(lab: Machine) -> None:
    start(lab, OTHER)
    bound(lab)
    status = lab.sh(f"cat /proc/{lab.pid(CONTAINER)}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    # What talks to the network: no root, no capability, two filters (podman's and dhcpcd's).
    assert fields["Uid"].split()[0] != "0"
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Seccomp"].strip() == "2"
    # NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SETGID, SETUID, SYS_CHROOT.
    assert int(fields["CapBnd"], 16) == sum(1 << bit for bit in (6, 7, 10, 12, 13, 18))
    seen = lab.sh(f"podman exec {CONTAINER} sh -c 'ls /host 2>&1; touch /etc/x 2>&1 || true'")
    assert "No such file" in seen
    assert "Read-only" in seen


def setup(host: Machine, networks: dict[str, Any]) -> None:
    request = {"networks": networks, "bondings": {}, "options": {"connectivityCheck": False}}
    words = ("vdsm-client", "-f", "-", "Host", "setupNetworks")
    assert host.run(*words, stdin=json.dumps(request).encode()).stdout.strip() == "true"


def test_a_network_of_the_api_has_a_client_and_its_name_servers(lab: Machine) -> None:
    resolv_conf = lab.sh("cat /etc/resolv.conf")
    network = {"nic": DEVICE, "bootproto": "dhcp", "dhcpv6": True, "defaultRoute": True}
    setup(lab, {"red": network})
    try:
        lab.wait("grep -qs 2001:db8 /run/vdsm/leases/red.json")
        lab.wait("grep -qs 198.51 /run/vdsm/leases/red.json")
        lab.wait("grep -q 'nameserver 198.51.100.53' /etc/resolv.conf")
        caps = lab.client("Host", "getCapabilities")
        red = caps["networks"]["red"]
        assert (red["dhcpv4"], red["dhcpv6"], red["ipv4defaultroute"]) == (True, True, True)
        assert red["addr"].startswith("198.51.100.")
        assert red["gateway"] == "198.51.100.1"
        assert caps["nameservers"] == ["198.51.100.53"]
        address = red["addr"]
        setup(lab, {"red": {**network, "mtu": 1400}})
        assert lab.client("Host", "getCapabilities")["networks"]["red"]["addr"] == address
        setup(lab, {"red": {**network, "defaultRoute": False}})
        lab.wait("ip rule | grep -q ^3200")
        assert lab.sh("ip -4 route show default dev red") == ""
    finally:
        setup(lab, {"red": {"remove": True}})
        lab.sh(f"printf '%s\\n' '{resolv_conf}' >/etc/resolv.conf")
    assert lab.sh("ip rule | grep ^3200 || true") == ""
    assert lab.sh("systemctl list-units --plain --no-legend 'vdsm-dhcp@*'") == ""
    lab.wait("grep -q 'DHCPRELEASE(' /run/dhcp-server.log")
