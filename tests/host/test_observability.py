# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator sees: one request as a timeline, and metrics where they are asked for."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine

NETWORK = {"seen": {"nic": "veth_seen", "bridged": True, "ipaddr": "192.0.2.77", "prefix": "24"}}
GONE = {"seen": {"remove": True}}
POOL = "00000000-0000-0000-0000-000000000000"
SOCKETS = "vdsm-metrics.socket supervdsm-metrics.socket"
PORTS = {"vdsm": 54331, "supervdsm": 54332}
READ = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())"


@pytest.fixture
def nic(host: Machine) -> Iterator[str]:
    """A NIC to make a network of."""
    host.sh("ip link add veth_seen type veth peer name veth_other; ip link set veth_seen up")
    try:
        yield "veth_seen"
    finally:
        host.sh("ip link del veth_seen")


@pytest.fixture
def device(host: Machine) -> Iterator[str]:
    """A block device with ext4."""
    image = "/var/tmp/seen.img"
    host.sh(f"truncate -s 64M {image}; mkfs.ext4 -q -F -E root_owner=36:36 {image}")
    loop = host.sh(f"losetup --find --show {image}")
    try:
        yield loop
    finally:
        host.sh(f"losetup -d {loop}; rm {image}")


def setup(host: Machine, flow: str, networks: dict[str, Any]) -> None:
    parameters = {"networks": networks, "bondings": {}, "options": {"connectivityCheck": False}}
    host.run(
        "vdsm-client", "--flow-id", flow, "-f", "-", "Host", "setupNetworks",
        stdin=json.dumps(parameters).encode(),
    )  # fmt: skip


def trace(host: Machine, flow: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(host.run("vdsm-tool", "trace", flow).stdout)["events"]
    assert [event["offset"] for event in events] == sorted(event["offset"] for event in events)
    return events


def in_order(events: list[dict[str, Any]], *wanted: tuple[str, str]) -> bool:
    """Whether there are events by these, with these words, in this order, with others between."""
    rest = iter(events)
    return all(any(e["who"] == who and words in e["what"] for e in rest) for who, words in wanted)


def test_trace_shows_a_change_of_the_network_from_the_client_to_the_kernel(
    host: Machine, nic: str
) -> None:
    flow = f'a "flow" of $(mine) {time.time_ns()}'
    setup(host, flow, NETWORK)
    setup(host, f"{flow} 2", GONE)
    events = trace(host, flow)
    assert in_order(
        events,
        ("client", "calls Host.setupNetworks"),
        ("vdsm", "Host.setupNetworks"),
        ("supervdsm", "network.SetupNetworks"),
        ("supervdsm", "operations planned"),
        ("supervdsm", "create bridge seen"),
        ("supervdsm", "set seen up; add address 192.0.2.77/24 to seen"),
        ("supervdsm", "committed"),
    ), events
    assert "delete seen" not in json.dumps(events)
    assert "delete seen" in json.dumps(trace(host, f"{flow} 2"))
    assert [e["outcome"] for e in events if e["what"] == "Host.setupNetworks"] == ["ok"]


def test_trace_shows_mounts_that_work_and_those_that_fail(host: Machine, device: str) -> None:
    outcomes = {}
    for vfs_type, verb in (("xfs", "connect"), ("ext4", "connect"), ("ext4", "disconnect")):
        parameters = {
            "storagepoolID": POOL,
            "domainType": "SHAREDFS",
            "connectionParams": [{"id": POOL, "connection": device, "vfs_type": vfs_type}],
        }
        words = ("-f", "-", "StoragePool", f"{verb}StorageServer")
        flow = f"mount {time.time_ns()}"
        host.run("vdsm-client", "--flow-id", flow, *words, stdin=json.dumps(parameters).encode())
        outcomes[f"{vfs_type}-{verb}"] = trace(host, flow)
    mounted = (
        ("client", "calls StoragePool.connectStorageServer"),
        ("vdsm", "StoragePool.connectStorageServer"),
        ("supervdsm", "storage.Mount"),
        ("supervdsm", f'mount(8) of "{device}"'),
    )
    assert in_order(outcomes["ext4-connect"], *mounted, ("supervdsm", "is mounted on"))
    assert in_order(outcomes["xfs-connect"], *mounted)
    (failed,) = [e for e in outcomes["xfs-connect"] if e["what"].startswith("mount(8)")]
    assert failed["outcome"] == "32"
    assert in_order(outcomes["ext4-disconnect"], ("supervdsm", "is unmounted"))


def test_trace_says_so_when_there_is_no_such_flow(host: Machine) -> None:
    done = host.run("vdsm-tool", "trace", "x'; touch /tmp/evil; $(touch /tmp/evil)", check=False)
    assert done.returncode == 1
    assert "Nothing of flow" in done.stderr
    assert "The journal goes back to 20" in done.stderr
    assert host.run("test", "-e", "/tmp/evil", check=False).returncode == 1


def metrics(host: Machine, side: str) -> dict[str, float]:
    text = host.run("python3", "-c", READ, f"http://127.0.0.1:{PORTS[side]}/metrics").stdout
    assert text.strip().endswith("# EOF")
    samples = (line.rpartition(" ") for line in text.splitlines() if line[:1] not in {"#", ""})
    return {name: float(value) for name, _, value in samples}


def test_metrics_are_off_until_their_sockets_are_enabled(host: Machine) -> None:
    for side in PORTS:
        refused = host.run(
            "python3", "-c", READ, f"http://127.0.0.1:{PORTS[side]}/metrics", check=False
        )
        assert "Connection refused" in refused.stderr
    host.sh(f"systemctl enable --quiet {SOCKETS}; systemctl restart vdsm supervdsm")
    try:
        assert host.client("Host", "ping2") is True
        assert metrics(host, "vdsm")['vdsm_calls_total{code="0",verb="Host.ping2"}'] >= 1
        host.wait_for_restart("supervdsm", host.kill("supervdsm"))
        # Who asks meanwhile waits in the socket, as callers of verbs do.
        found = metrics(host, "supervdsm")
        assert found['supervdsm_service_restarts_total{service="supervdsm"}'] >= 1
        assert found['supervdsm_calls_total{outcome="ok",verb="service.Hello"}'] >= 1
        listening = host.sh("ss -Hltn").splitlines()
        for port in PORTS.values():
            (line,) = [line for line in listening if f":{port} " in line]
            assert f" 127.0.0.1:{port} " in line
    finally:
        host.sh(f"systemctl disable --quiet --now {SOCKETS}; systemctl restart vdsm supervdsm")
    for side, port in PORTS.items():
        assert f":{port} " not in host.sh("ss -Hltn"), side
