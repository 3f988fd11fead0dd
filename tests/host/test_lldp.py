# SPDX-License-Identifier: GPL-2.0-or-later
"""LLDP in its real unit: a frame on a cable, heard by lldpd, asked for by supervdsm."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import SERVES, Machine

UNIT = "vdsm-lldpd.service"
NIC, FAR, SWITCH = "veth_lldp", "veth_port", "lldp-switch"

LAB = f"""
ip netns add {SWITCH}
ip link add {NIC} type veth peer name {FAR} netns {SWITCH}
ip link set {NIC} up
ip -n {SWITCH} link set {FAR} up
"""

# A frame as a switch sends it: IEEE 802.1AB, with TLVs of 802.1 and 802.3.
FRAME = """
import socket, struct
def tlv(kind, value):
    return struct.pack("!H", kind << 9 | len(value)) + value
def organization(oui, subtype, value):
    return tlv(127, bytes.fromhex(oui) + bytes([subtype]) + value)
source = bytes.fromhex("02005e005301")
management = b"\\x05\\x01" + socket.inet_aton("192.0.2.9") + struct.pack("!BIB", 2, 36, 0)
frame = bytes.fromhex("0180c200000e") + source + b"\\x88\\xcc" + b"".join([
    tlv(1, b"\\x04" + source), tlv(2, b"\\x05Ethernet1/7"), tlv(3, struct.pack("!H", 120)),
    tlv(4, b"uplink of rack 3"), tlv(5, b"switch1.example.org"),
    tlv(6, b"Example Switch, version 1"), tlv(7, struct.pack("!HH", 0x14, 0x04)),
    tlv(8, management),
    organization("0080c2", 1, struct.pack("!H", 100)),
    organization("0080c2", 3, struct.pack("!HB", 100, 4) + b"prod"),
    organization("0080c2", 7, struct.pack("!BI", 3, 42)),
    organization("00120f", 4, struct.pack("!H", 9216)), tlv(0, b"")])
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("veth_port", 0))
    wire.send(frame)
"""

ASK = """
import sys, msgspec
from supervdsm.network.services.lldp import Lldp
from vdsm_contract.errors import ServiceFailed
try:
    answer = Lldp().info(sys.argv[1:], ())
except ServiceFailed as error:
    answer = [error.unit, error.reason]
sys.stdout.write(msgspec.json.encode(answer).decode())
"""


def ask(host: Machine, *nics: str) -> Any:
    done = host.run("podman", "exec", "supervdsm", "/opt/venv/bin/python", "-c", ASK, *nics)
    return json.loads(done.stdout)


@pytest.fixture
def nic(host: Machine) -> Iterator[str]:
    host.sh(LAB)
    try:
        host.wait(
            f"podman exec supervdsm lldpcli -u /run/vdsm/lldpd/socket -f json0 show interfaces"
            f" | grep -q {NIC}"
        )
        yield NIC
    finally:
        host.sh(f"ip link delete {NIC}; ip netns delete {SWITCH}")


def test_a_frame_is_heard_and_told_in_ovirt_s_words(host: Machine, nic: str) -> None:
    assert ask(host, nic) == {"nics": {nic: {"enabled": True, "tlvs": []}}}
    host.run("ip", "netns", "exec", SWITCH, "python3", "-c", FRAME)
    host.wait(
        "podman exec supervdsm lldpcli -u /run/vdsm/lldpd/socket -f json0 show neighbors"
        " | grep -q switch1"
    )
    told = ask(host, nic)["nics"][nic]
    assert told["enabled"] is True
    assert host.client("Host", "getLldp", f'filter={{"devices": ["{nic}"]}}') == {nic: told}
    properties: dict[str, str] = {}
    for tlv in told["tlvs"]:
        properties |= tlv["properties"]
    assert properties == {
        "chassis ID subtype": "MAC",
        "chassis ID": "02:00:5e:00:53:01",
        "port ID subtype": "Ifname",
        "port ID": "Ethernet1/7",
        "time to live": "120",
        "port description": "uplink of rack 3",
        "system name": "switch1.example.org",
        "system description": "Example Switch, version 1",
        "system capabilities": "Bridge, Router",
        "enabled capabilities": "Bridge",
        "management address subtype": "IPv4",
        "management address": "192.0.2.9",
        "interface numbering subtype": "Ifindex",
        "interface numbering": "36",
        "Port VLAN ID": "100",
        "VLAN ID": "100",
        "VLAN Name": "prod",
        "Aggregation capable": "True",
        "Currently aggregated": "True",
        "Aggregated Port ID": "42",
        "mtu": "9216",
    }
    numbers = [(tlv["type"], tlv.get("oui"), tlv.get("subtype")) for tlv in told["tlvs"]]
    assert numbers == [
        *((kind, None, None) for kind in range(1, 9)),
        (127, 0x0080C2, 1),
        (127, 0x0080C2, 3),
        (127, 0x0080C2, 7),
        (127, 0x00120F, 4),
    ]


def test_the_host_says_nothing_of_itself(host: Machine, nic: str) -> None:
    text = host.sh("podman exec supervdsm lldpcli -u /run/vdsm/lldpd/socket show configuration")
    assert "Receive mode: yes" in text
    sent = host.sh(
        "podman exec supervdsm lldpcli -u /run/vdsm/lldpd/socket -f keyvalue show statistics"
    )
    counts = [line for line in sent.splitlines() if f".{nic}.tx.tx=" in line]
    assert [line.partition("=")[2] for line in counts] == ["0"]


def test_without_the_daemon_the_error_names_its_unit(host: Machine) -> None:
    host.sh(f"systemctl stop {UNIT}")
    try:
        unit, reason = ask(host, NIC)
    finally:
        host.sh(f"systemctl start {UNIT}")
    assert unit == UNIT
    assert reason


def test_it_comes_back_by_itself(host: Machine) -> None:
    old = host.kill("vdsm-lldpd")
    host.wait_for_restart("vdsm-lldpd", old)
    host.wait("podman exec supervdsm lldpcli -u /run/vdsm/lldpd/socket show interfaces >/dev/null")


def test_a_daemon_that_cannot_run_does_not_keep_the_pair_from_running(host: Machine) -> None:
    drop_in = f"/run/systemd/system/{UNIT}.d/fail.conf"
    host.sh(
        f"mkdir -p {drop_in.rpartition('/')[0]};"
        f"printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >{drop_in};"
        "systemctl daemon-reload"
    )
    try:
        host.sh("systemctl stop vdsm.target; systemctl start vdsm.target")
        host.wait(SERVES)
        assert host.show(UNIT, "ActiveState") != "active"
    finally:
        host.sh(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {UNIT}")


def test_it_has_few_privileges(host: Machine) -> None:
    lines = host.sh(
        "for pid in $(podman top vdsm-lldpd hpid | tail -n +2); do"
        " awk '/^(Uid|CapEff|NoNewPrivs)/ { print $2 }' /proc/$pid/status | xargs; done"
    ).splitlines()
    found = [line.split() for line in lines]
    assert len(found) == 2
    assert all(uid != "0" and quiet == "1" for uid, _, quiet in found)
    # The part that hears has none; the other DAC_OVERRIDE, NET_ADMIN, NET_RAW.
    effective = sorted(int(capabilities, 16) for _, capabilities, _ in found)
    assert effective == [0, 1 << 1 | 1 << 12 | 1 << 13]
