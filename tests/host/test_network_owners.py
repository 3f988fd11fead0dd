# SPDX-License-Identifier: GPL-2.0-or-later
"""A systemd-networkd that runs beside vdsm: it is told of, and the way out is one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine

NETWORKS = "/run/systemd/network"
RULE = "from 203.0.113.0/24 table 77 prio 3200 protocol static"


@pytest.fixture
def networkd(host: Machine) -> Iterator[Machine]:
    """vdsm has a network on one NIC, and networkd sets up that one and another."""
    host.sh(
        "for one in a b; do\n"
        "  ip link add veth_$one type veth peer name far_$one; ip link set far_$one up\n"
        "done"
    )
    setup(host, {"owned": {"nic": "veth_a", "bridged": False}})
    for number, nic in enumerate(("veth_a", "veth_b"), start=1):
        unit = f"[Match]\nName={nic}\n\n[Network]\nAddress=198.51.100.{number}/24\n"
        write(host, f"{NETWORKS}/50-{nic}.network", unit)
    host.sh("systemctl unmask systemd-networkd systemd-networkd.socket")
    host.sh("systemctl start systemd-networkd")
    host.wait("ip addr show veth_a | grep -q 198.51.100.1")
    try:
        yield host
    finally:
        host.sh(
            f"rm -rf {NETWORKS}/*veth* {NETWORKS}/00-vdsm.network /run/systemd/networkd.conf.d;"
            "systemctl mask --now systemd-networkd systemd-networkd.socket"
        )
        setup(host, {"owned": {"remove": True}})
        host.sh("ip link del veth_a; ip link del veth_b; ip rule del prio 3200 || true")


def setup(host: Machine, networks: dict[str, Any]) -> None:
    request = {"networks": networks, "bondings": {}, "options": {"connectivityCheck": False}}
    words = ["vdsm-client", "-f", "-", "Host", "setupNetworks"]
    host.run(*words, stdin=json.dumps(request).encode())


def write(host: Machine, path: str, text: str) -> None:
    host.run("sh", "-c", f'mkdir -p "$(dirname {path})" && cat >{path}', stdin=text.encode())


def findings(host: Machine) -> dict[str, Any]:
    done = host.run("vdsm-tool", "check", check=False)
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}


def rule_survives(host: Machine) -> bool:
    """Whether a rule of source routing is left when networkd sets up a link that is its own."""
    host.sh(f"ip rule add {RULE} 2>/dev/null || true; ip addr flush dev veth_b")
    host.sh("networkctl reconfigure veth_b")
    host.wait("ip addr show veth_b | grep -q 198.51.100.2")
    return "203.0.113.0/24" in host.sh("ip rule")


def test_a_nic_of_two_owners_is_told_of_and_the_way_out_is_one(networkd: Machine) -> None:
    found = findings(networkd)
    assert found["networkd"]["level"] == "fail"
    assert found["networkd"]["detail"] == "also owns vdsm's veth_a"
    assert found["networkd routes"]["level"] == "warn"
    assert not rule_survives(networkd)

    write(
        networkd, f"{NETWORKS}/00-vdsm.network", "[Match]\nName=veth_a\n\n[Link]\nUnmanaged=yes\n"
    )
    keys = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
    conf = "[Network]\n" + "".join(f"{key}=no\n" for key in keys)
    write(networkd, "/run/systemd/networkd.conf.d/vdsm.conf", conf)
    networkd.sh("systemctl restart systemd-networkd")
    assert rule_survives(networkd)
    found = findings(networkd)
    assert (found["networkd"]["level"], found["networkd routes"]["level"]) == ("ok", "ok")
