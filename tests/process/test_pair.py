# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole path as processes: a client over TLS, the real vdsm, the real supervdsm, the kernel."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from front import manager as front
from front import pki
from process.conftest import Manager
from vdsm.client import CallError, Client, mutual_tls
from vdsm_contract.proxy import Supervdsm


@pytest.fixture
def vdsm(tmp_path: Path, manager: Manager, supervdsm: Supervdsm) -> Iterator[Client]:
    """A client of a vdsm that speaks to the manager's supervdsm."""
    identity = pki.make(tmp_path / "pki")
    with front.Manager(tmp_path) as vdsm:
        vdsm.start_module(
            "vdsm", "--pki-dir", str(tmp_path / "pki"), "--svdsm-socket", str(manager.path)
        )
        with Client(mutual_tls("127.0.0.1", vdsm.port, identity=identity), timeout=30) as client:
            yield client


def test_a_privileged_read_reaches_the_kernel(manager: Manager, vdsm: Client) -> None:
    info = vdsm.call("Host.getNetworkStatistics", flow_id="flow-pair-1")
    assert isinstance(info, dict)
    links = json.loads(subprocess.check_output(["ip", "-j", "link"]))
    assert set(info["network"]) <= {link["ifname"] for link in links}  # type: ignore[arg-type]
    [line] = [line for line in manager.log.read_text().splitlines() if "flow-pair-1" in line]
    assert "NetworkStats" in line
    assert "outcome=ok" in line


@pytest.mark.parametrize("verb", ["getCapabilities", "getStats", "getNetworkCapabilities"])
def test_the_engine_s_reads(vdsm: Client, verb: str) -> None:
    assert isinstance(vdsm.call(f"Host.{verb}"), dict)


def test_an_argument_that_the_policy_refuses(manager: Manager, vdsm: Client) -> None:
    with pytest.raises(CallError) as caught:
        vdsm.call("Host.setKsmTune", tuningParams={"run": 7})
    assert caught.value.code == -32602
    assert "run" in caught.value.message
    assert manager.exits == []


def test_supervdsm_killed_between_calls_is_not_noticed(manager: Manager, vdsm: Client) -> None:
    for _ in range(3):
        vdsm.call("Host.getNetworkStatistics")
        kills = len(manager.exits)
        manager.kill()
        manager.wait(lambda kills=kills: len(manager.exits) > kills)  # type: ignore[misc]
    vdsm.call("Host.getNetworkStatistics")


def test_supervdsm_stopped_makes_a_call_wait_not_fail(manager: Manager, vdsm: Client) -> None:
    vdsm.call("Host.ping2")
    pid = manager.kill(signal.SIGSTOP)
    states = list(Path(f"/proc/{pid}/task").glob("*/status"))
    manager.wait(lambda: all("State:\tT" in state.read_text() for state in states))
    began = time.monotonic()
    subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {pid}"])
    vdsm.call("Host.getNetworkStatistics")
    assert time.monotonic() - began > 0.9
