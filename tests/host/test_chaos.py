# SPDX-License-Identifier: GPL-2.0-or-later
"""A short run of the chaos, and whether its checks see what is really broken; docs/chaos.md.

The host is one of its own: chaos changes it for good.
"""

import os
from collections.abc import Iterator
from itertools import islice

import pytest

from chaos.check import STEADY
from chaos.load.mounts import DIRECTORIES, target
from chaos.model import EFFECT
from chaos.report import as_text
from chaos.run import Run, running
from chaos.schedule import Kind, schedule
from machines import Report, own_machine

pytestmark = pytest.mark.skipif(
    "VDSM_CHAOS" not in os.environ, reason="two minutes: VDSM_CHAOS=1 runs it, make chaos does more"
)

SEED, SECONDS, MOST = 462, 20.0, 6
SLOW = (
    Kind.STOP, Kind.RESTART, Kind.DROP, Kind.UPGRADE, Kind.STOP_UPGRADER, Kind.REBOOT,
    Kind.POWER_CUT,
)  # fmt: skip


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    machine = own_machine("testhost", "chaos")
    try:
        machine.up()
        with running(machine, SEED) as made:
            yield made
    finally:
        machine.down()


def test_nothing_that_must_be_true_is_broken_by_faults(run: Run, report: Report) -> None:
    result = run.go(islice(schedule(SEED, SLOW), MOST), SECONDS, show=False)
    report(as_text(result))
    assert result.violations == [], as_text(result)
    assert result.survived != []
    assert result.outcomes["ok"] > 0


def test_what_is_really_broken_is_seen(run: Run) -> None:
    agent = run.site.agent
    agent.run("ip", "link", "add", "stray", "type", "bridge")
    agent.run("mkdir", "-p", target(DIRECTORIES[0]))
    # Twice, so that it is one too many whatever the clients have left.
    for _ in range(2):
        agent.run("mount", "--bind", DIRECTORIES[0], target(DIRECTORIES[0]))
    run.checker.settle()
    run.checker.check(whole=False)
    seen = {(one.rule, one.details.split(" is ")[0]) for one in run.book.ledger.violations}
    assert (STEADY, "network: device stray") in seen
    assert (EFFECT, f"mount of {DIRECTORIES[0]}") in seen
