# SPDX-License-Identifier: GPL-2.0-or-later
"""The flows of the map in real containers under systemd: what is killed is killed by SIGKILL from
outside.

The verbs are those of `faults`, called from inside vdsm's container; how often one ran is counted
by what it left in a file on the host.
"""

import json
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from host.faulty import EFFECTS, PYTHON, Faulty, drop_in, installed, restart_pair
from machines import Machine, Report

KILLS = int(os.environ.get("VDSM_FLOWS_KILLS", "30"))


@pytest.fixture(scope="module")
def faulty(host: Machine) -> Iterator[Faulty]:
    with installed(host) as faulty:
        yield faulty


def restarts(host: Machine, unit: str) -> int:
    return int(host.show(f"{unit}.service", "NRestarts"))


def test_1_vdsm_serves_before_supervdsm_ever_ran(host: Machine) -> None:
    host.sh(
        "systemctl stop vdsm.target vdsm.service supervdsm.service supervdsm.socket vdsm.socket"
    )
    host.sh("systemctl start vdsm.service")
    # vdsm wants to hear of links from its start on: without the socket it has nobody to ask. A
    # supervdsm that is stopped while it starts has failed, as systemd sees it.
    host.sh("systemctl stop supervdsm.socket supervdsm.service")
    host.sh("systemctl reset-failed supervdsm.service || true")
    assert host.show("supervdsm.service", "ActiveState") == "inactive"
    assert host.client("Host", "echo", "message=alone") == "alone"
    assert host.show("supervdsm.service", "ActiveState") == "inactive"
    # With the socket there, the first call that needs supervdsm makes systemd start it.
    host.sh("systemctl start supervdsm.socket")
    assert "nics" in host.client("Host", "getNetworkCapabilities")
    assert host.show("supervdsm.service", "ActiveState") == "active"


def test_1_supervdsm_first(host: Machine) -> None:
    host.sh("systemctl stop vdsm.target vdsm.service supervdsm.service")
    host.sh("systemctl start supervdsm.service")
    host.sh("systemctl start vdsm.service")
    assert "nics" in host.client("Host", "getNetworkCapabilities")
    host.sh("systemctl start vdsm.target")


def test_2_a_declared_error(faulty: Faulty) -> None:
    before = restarts(faulty.machine, "supervdsm")
    report = faulty.call("raise_declared", word="flow2")
    assert report["outcome"] == "KernelSettingFailed"
    assert report["fields"] == {"path": "/sys/none", "errno": 22, "reason": "on purpose"}
    assert faulty.ran("flow2") == 1
    assert restarts(faulty.machine, "supervdsm") == before


def test_2b_an_undeclared_error_restarts_after_the_others_have_ended(faulty: Faulty) -> None:
    old = faulty.machine.pid("supervdsm")
    slow = faulty.begin("slow_effect", word="flow2b-slow", before=2.0, after=0.0)
    faulty.wait_for("flow2b-slow.begun")
    report = faulty.call("raise_undeclared", word="flow2b")
    assert report["outcome"] == "Unexpected"
    assert slow.result()["outcome"] == "ok"
    faulty.machine.wait_for_restart("supervdsm", old)
    assert faulty.call("effect", word="flow2b-after")["outcome"] == "ok"
    assert [faulty.ran(word) for word in ("flow2b", "flow2b-slow", "flow2b-after")] == [1, 1, 1]
    journal = faulty.machine.sh("journalctl -u supervdsm.service -o cat --no-pager")
    assert report["fields"]["id"] in journal
    assert "ZeroDivisionError" in journal


@pytest.mark.parametrize(
    ("word", "before", "after", "ran"),
    [("flow3-before", 8.0, 0.0, 0), ("flow3-after", 0.0, 8.0, 1)],
)
def test_3_killed_during_a_call(
    faulty: Faulty, word: str, before: float, after: float, ran: int
) -> None:
    call = faulty.begin("slow_effect", word=word, before=before, after=after)
    faulty.wait_for(word if ran else f"{word}.begun")
    old = faulty.machine.kill("supervdsm")
    report = call.result()
    assert report["outcome"] == "SupervdsmDied"
    assert report["seconds"] < 8  # told at once, not when the call would have ended
    assert faulty.call("effect", word=f"{word}-next")["outcome"] == "ok"
    assert faulty.machine.wait_for_restart("supervdsm", old) != old
    assert (faulty.ran(word), faulty.ran(f"{word}-next")) == (ran, 1)


def test_4_killed_before_a_call(faulty: Faulty) -> None:
    old = faulty.machine.kill("supervdsm")
    faulty.machine.wait(f"! test -e /proc/{old}")
    report = faulty.call("effect", word="flow4")
    assert report["outcome"] == "ok"
    assert faulty.ran("flow4") == 1


def test_after_a_call_a_kill_changes_nothing(faulty: Faulty) -> None:
    assert faulty.call("effect", word="flow-after")["outcome"] == "ok"
    old = faulty.machine.kill("supervdsm")
    faulty.machine.wait_for_restart("supervdsm", old)
    assert faulty.call("effect", word="flow-after-2")["outcome"] == "ok"
    assert (faulty.ran("flow-after"), faulty.ran("flow-after-2")) == (1, 1)


@pytest.mark.parametrize("how", ["stopped", "hang", "die"])
def test_5_a_server_that_does_not_serve_is_replaced(
    faulty: Faulty, how: str, report: Report
) -> None:
    old = faulty.machine.pid("supervdsm")
    began = time.monotonic()
    if how == "stopped":
        faulty.machine.kill("supervdsm", "STOP")
    else:
        assert faulty.call("break_listener", how=how)["outcome"] == "ok"
    faulty.machine.wait_for_restart("supervdsm", old, timeout=90)
    report(f"served by another instance {time.monotonic() - began:.1f} s after it was {how}")
    assert faulty.call("effect", word=f"flow5-{how}")["outcome"] == "ok"
    assert faulty.ran(f"flow5-{how}") == 1


def test_6_vdsm_killed_during_a_call(faulty: Faulty) -> None:
    host = faulty.machine
    supervdsm, vdsm = host.pid("supervdsm"), host.pid("vdsm")
    call = faulty.begin("slow_effect", word="flow6", before=2.0, after=0.0)
    faulty.wait_for("flow6.begun")
    host.kill("vdsm")  # the caller is in its container and dies with it
    call.abandoned()
    host.wait_for_restart("vdsm", vdsm)
    faulty.wait_for("flow6")
    assert faulty.call("effect", word="flow6-next")["outcome"] == "ok"
    assert host.client("Host", "echo", "message=back") == "back"
    assert (faulty.ran("flow6"), faulty.ran("flow6-next")) == (1, 1)
    assert host.pid("supervdsm") == supervdsm


def test_7_both_killed(faulty: Faulty) -> None:
    host = faulty.machine
    old = {unit: host.kill(unit) for unit in ("supervdsm", "vdsm")}
    for unit, pid in old.items():
        host.wait_for_restart(unit, pid)
    assert faulty.call("effect", word="flow7")["outcome"] == "ok"
    assert "nics" in host.client("Host", "getNetworkCapabilities")


def test_8_a_skewed_pair_refuses_to_talk(faulty: Faulty) -> None:
    host = faulty.machine
    skew = "[Container]\nEnvironment=FAULTS_CONTRACT=0-skewed\n"
    drop_in(host, "supervdsm", "skew", skew)
    try:
        restart_pair(host)
        report = faulty.call("effect", word="flow8")
        assert report["outcome"] == "VersionMismatch"
        assert report["fields"]["server"] == "0-skewed"
        error = host.client("Host", "getNetworkCapabilities", check=False)
        assert "run both images from one release" in error
        assert host.client("Host", "echo", "message=still") == "still"
        assert faulty.ran("flow8") == 0
    finally:
        host.sh("rm /etc/containers/systemd/supervdsm.container.d/skew.conf")
        restart_pair(host)
    assert faulty.call("effect", word="flow8-mended")["outcome"] == "ok"


@pytest.mark.timeout(120 + KILLS * 5)
def test_killed_again_and_again_under_load(faulty: Faulty, report: Report) -> None:
    host = faulty.machine
    kills, rate, seed = KILLS, 50, 20260101
    host.sh(f": > {EFFECTS}")
    environment = "--env=PYTHONPATH=/opt/faults"
    load = host.start(
        "podman", "exec", "-i", environment, "vdsm", PYTHON, "-m", "faults.load", str(rate)
    )
    killer = host.run(
        "python3",
        "/opt/faults/faults/killer.py",
        EFFECTS,
        str(kills),
        str(seed),
        timeout=60 + KILLS * 5,
    )
    out, _ = load.communicate(timeout=60)  # ends its stdin, and with it the load
    recoveries = sorted(json.loads(killer.stdout))
    calls = json.loads(out)["calls"]
    ran = Counter(host.sh(f"cat {EFFECTS}").split())
    outcomes = Counter(outcome for _word, _began, _seconds, outcome in calls)
    longest = max(seconds for _word, _began, seconds, _outcome in calls)
    report(
        f"{len(recoveries)} kills, {len(calls)} calls: {dict(outcomes)}, "
        f"the longest {longest:.2f} s\n"
        f"from SIGKILL to the next effect: median {statistics.median(recoveries):.2f} s, "
        f"p90 {recoveries[int(len(recoveries) * 0.9)]:.2f} s, worst {recoveries[-1]:.2f} s"
    )
    assert len(recoveries) == kills
    assert set(outcomes) <= {"ok", "SupervdsmDied"}
    for word, _began, _seconds, outcome in calls:
        assert ran[word] <= 1, f"{word} ran {ran[word]} times"
        assert outcome != "ok" or ran[word] == 1, f"{word} was answered and did not run"
    assert longest < 12  # the verb's limit and the grace of its caller
    assert restarts(host, "supervdsm") >= kills


def test_a_call_leaves_one_audit_line_with_its_flow(host: Machine) -> None:
    host.client("--flow-id", "flow-audit-1", "Host", "getHardwareInfo", check=False)
    audit = host.sh("journalctl -u supervdsm.service -o cat --no-pager | grep flow-audit-1")
    [line] = audit.splitlines()
    assert re.search(r"call \S+\.GetHardwareInfo by vdsm\[\d+\] flow=\"flow-audit-1\"", line)
    assert re.search(r"outcome=\S+.* duration=\d+\.\d+", line)
    assert "flow-audit-1" in host.sh("journalctl -u vdsm.service -o cat --no-pager")
