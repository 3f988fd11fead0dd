# SPDX-License-Identifier: GPL-2.0-or-later
"""Storms: the pair is killed or called far too often, and is well right after that.

Short here; docs/observability.md has the figures of VDSM_STORM_SECONDS=120 and
VDSM_STORM_CONNECTS=10000. VDSM_STORM_LIMIT is how many seconds may pass until the pair serves.
"""

import json
import os
from typing import Any, Final

import pytest

from machines import ROOT, Machine, Report

SECONDS: Final = float(os.environ.get("VDSM_STORM_SECONDS", "10"))
CONNECTS: Final = int(os.environ.get("VDSM_STORM_CONNECTS", "1000"))
LIMIT: Final = float(os.environ.get("VDSM_STORM_LIMIT", "60"))
"""Machines that are shared take their time; the aim is 2."""

GROWTH: Final = 1.15
"""Of memory, as a ratio: threads and connections that come and go leave some of the heap used."""

SCRIPT: Final = "/root/storming.py"


@pytest.fixture
def stormy(host: Machine) -> Machine:
    host.copy_in(ROOT / "tests/host/storming.py", SCRIPT)
    return host


def run(host: Machine, *words: str) -> dict[str, Any]:
    timeout = SECONDS + CONNECTS / 10 + 200
    found: dict[str, Any] = json.loads(host.run("python3", SCRIPT, *words, timeout=timeout).stdout)
    return found


def settled(host: Machine) -> dict[str, Any]:
    """What could leak, once systemd and podman have nothing to do any more."""
    host.wait('[ -z "$(systemctl list-jobs --no-legend)" ] && ! pgrep -x podman >/dev/null')
    return run(host, "look")


def check(before: dict[str, Any], after: dict[str, Any], storm: dict[str, Any]) -> None:
    """Nothing grew, and both served soon."""
    assert storm["supervdsm_serves"] < LIMIT
    assert storm["vdsm_serves"] < LIMIT
    for name in ("containers", "conmon", "podman", "mounts"):
        assert after[name] <= before[name], name
    for name in ("vdsm_rss", "supervdsm_rss", "systemd_rss"):
        assert after[name] <= GROWTH * before[name] + 2048, name
    for name in ("vdsm_fds", "supervdsm_fds", "systemd_fds", "cgroups"):
        assert after[name] <= before[name] + 5, name
    assert after["run_files"] <= before["run_files"] + 20


@pytest.mark.timeout(SECONDS + 500)
def test_a_storm_of_kills_leaves_nothing_behind(stormy: Machine, report: Report) -> None:
    run(stormy, "kill", "1")  # so that all that is made once is there
    before = settled(stormy)
    storm = run(stormy, "kill", str(SECONDS))
    after = settled(stormy)
    report(f"restart storm: {storm}\n    before {before}\n    after  {after}")
    assert storm["kills"] > SECONDS / 10
    check(before, after, storm)
    assert stormy.client("Host", "ping2") is True


@pytest.mark.timeout(CONNECTS / 10 + 500)
def test_a_storm_of_connections_leaves_nothing_behind(stormy: Machine, report: Report) -> None:
    run(stormy, "connect", "200")  # so that all threads have been there
    before = settled(stormy)
    storm = run(stormy, "connect", str(CONNECTS))
    after = settled(stormy)
    report(f"connection storm: {storm}\n    before {before}\n    after  {after}")
    assert storm["connects"] == 2 * CONNECTS
    check(before, after, storm)
    assert stormy.client("Host", "ping2") is True
