# SPDX-License-Identifier: GPL-2.0-or-later
"""A service that is stopped while it starts ends at once, whatever it is doing then; one that is
stopped during a call ends it well, with all that the call has started."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine


@pytest.fixture(autouse=True)
def running_pair(host: Machine) -> Iterator[None]:
    yield
    host.sh("systemctl start supervdsm.service vdsm.service")


@pytest.mark.parametrize("unit", ["vdsm", "supervdsm"])
def test_a_stop_during_the_start_is_not_lost(host: Machine, unit: str) -> None:
    # From its first line on, Python handles SIGTERM (bit 14 of SigCgt). The moments differ: while
    # and after the modules are loaded. Before that line the kernel keeps the signal from a pid 1.
    script = f"""
        systemctl stop {unit}.service
        systemctl start --no-block {unit}.service
        until pid=$(podman inspect -f '{{{{.State.Pid}}}}' {unit} 2>/dev/null) &&
            [ "$pid" -gt 0 ] &&
            caught=$(awk '/^SigCgt/ {{ print $2 }}' "/proc/$pid/status") &&
            [ $((0x$caught >> 14 & 1)) = 1 ]; do :; done
        sleep $1
        begin=$(date +%s)
        systemctl stop {unit}.service
        echo $(($(date +%s) - begin))
    """
    took = [
        int(host.run("sh", "-euc", script, "stop", str(pause / 10)).stdout) for pause in range(3)
    ]
    assert max(took) < 10, f"seconds: {took}"


GATE = "/run/stop-gate"
"""A FIFO: who reads it waits until somebody opens it."""
HOOKS = "/usr/libexec/vdsm/hooks/before_network_setup"
HOOK = f"""
mkdir -p {HOOKS}
printf '#!/bin/sh\\nexec cat {GATE}\\n' >{HOOKS}/50_wait
chmod 755 {HOOKS}/50_wait
"""
UNIT = "vdsm-dhcp@red.service"
DROP_IN = f"/run/systemd/system/{UNIT}.d"
CLIENT = f"""
mkdir -p {DROP_IN}
printf '[Service]\\nExecStartPre=cat {GATE}\\n' >{DROP_IN}/wait.conf
systemctl daemon-reload
"""


@pytest.fixture
def nic(host: Machine) -> Iterator[str]:
    """A NIC to make the network `red` of; all that tests add is gone after each."""
    host.sh(
        f"mkfifo {GATE}; ip link add veth_stop type veth peer name veth_far; "
        "ip link set veth_far up"
    )
    try:
        yield "veth_stop"
    finally:
        host.sh(
            f"rm -rf {HOOKS} {DROP_IN}; systemctl daemon-reload; pkill -fx 'cat {GATE}' || true"
        )
        begin(host, {"remove": True}).communicate(timeout=60)
        host.sh(f"rm {GATE}; ip link delete veth_stop")


def begin(host: Machine, network: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Begin to make the network `red`, or to remove it."""
    asking = host.start("vdsm-client", "-f", "-", "Host", "setupNetworks")
    request = {
        "networks": {"red": network}, "bondings": {}, "options": {"connectivityCheck": False},
    }  # fmt: skip
    assert asking.stdin is not None
    asking.stdin.write(json.dumps(request).encode())
    asking.stdin.close()
    asking.stdin = None
    return asking


def stop_meanwhile(
    host: Machine, network: dict[str, Any], child: str, stop: str
) -> tuple[int, bytes]:
    """Make `red`, which waits at the gate for `child`; stop supervdsm; then open the gate.

    Return the status and the output of who asked for it. supervdsm is up again then: its socket
    starts it where `stop` does not.
    """
    old = host.pid("supervdsm")
    cursor = host.sh("journalctl -n0 --show-cursor | sed -n 's/^-- cursor: //p'")
    asking = begin(host, network)
    host.wait(f"pgrep -fx '{child}' && pgrep -fx 'cat {GATE}'")
    stopping = host.start(*stop.split())
    host.wait(f"journalctl -u supervdsm -o cat --after-cursor='{cursor}' | grep -q ': ending'")
    host.sh(f"timeout 10 sh -c 'echo open >{GATE}' || true")
    output, _ = asking.communicate(timeout=120)
    stopping.communicate(timeout=120)
    assert stopping.returncode == 0
    host.client("Host", "getCapabilities")
    host.wait_for_restart("supervdsm", old)
    return asking.returncode, output.strip()


def networks(host: Machine) -> set[str]:
    return set(host.client("Host", "getCapabilities")["networks"])


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_a_stop_ends_no_hook_of_a_change(host: Machine, nic: str, verb: str) -> None:
    host.sh(HOOK)
    stop = f"systemctl {verb} supervdsm.service"
    assert stop_meanwhile(host, {"nic": nic}, f"cat {GATE}", stop) == (0, b"true")
    assert "red" in networks(host)


def test_a_restart_ends_no_start_of_a_dhcp_client(host: Machine, nic: str) -> None:
    host.sh(CLIENT)
    network = {"nic": nic, "bootproto": "dhcp"}
    stop = "systemctl restart supervdsm.service"
    done = stop_meanwhile(host, network, f"systemctl restart {UNIT}", stop)
    assert done == (0, b"true")
    assert "red" in networks(host)
    assert host.show(UNIT, "ActiveState") == "active"


def test_a_change_that_podman_stop_breaks_is_undone(host: Machine, nic: str) -> None:
    """podman's own stop signals the children of a call, too: see docs/architecture.md."""
    host.sh(CLIENT)
    network = {"nic": nic, "bootproto": "dhcp"}
    child = f"systemctl restart {UNIT}"
    status, _ = stop_meanwhile(host, network, child, "podman stop supervdsm")
    assert status != 0
    assert "red" not in networks(host)
    assert host.run("ip", "link", "show", "red", check=False).returncode != 0
    assert host.show(UNIT, "ActiveState") == "inactive"
