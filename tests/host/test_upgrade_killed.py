# SPDX-License-Identifier: GPL-2.0-or-later
"""An upgrade that is cut off behind each of its steps, by SIGKILL and by a power cut.

What a power cut leaves out here is the loss of what no fsync(2) has written: this machine's kernel
goes on. VDSM_UPGRADE_STEPS=all tries all steps; by default those that differ most.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from host.releases import Release
from host.upgrades import AT, MOUNT, ONE, STATE, TWO, Upgrading
from machines import SERVES
from vdsm_tool.upgrade.model import Step

OPERATOR = (Step.FETCHING, Step.FETCHED, Step.PREPARED, Step.NAMED, Step.STARTED)
"""Of the operator's own command."""
UNTOUCHED = (Step.SEEN, Step.WRITTEN)
UNDONE = (
    Step.PINNED,
    Step.ORDERED,
    Step.SWITCHED,
    Step.RESTARTING,
    Step.RESTARTED,
    Step.TESTED,
)
KEPT = (Step.KEPT, Step.TAGGED, Step.CLEARED, Step.RECORDED, Step.DONE)

ALL = os.environ.get("VDSM_UPGRADE_STEPS") == "all"
KILLS = tuple(Step) if ALL else (Step.NAMED, Step.RESTARTING, Step.RECORDED)
CUTS = tuple(Step) if ALL else (Step.PINNED, Step.KEPT)


def test_each_step_has_its_end() -> None:
    assert (*OPERATOR, *UNTOUCHED, *UNDONE, *KEPT) == tuple(Step)


@pytest.fixture
def at_one(upgrading: Upgrading) -> Iterator[Upgrading]:
    """The host with its first release."""
    if upgrading.machine.sh("readlink /etc/vdsm/pins/current").startswith(f"{TWO.version}-"):
        assert upgrading.upgrade(ONE).returncode == 0
    yield upgrading
    upgrading.at()


def network(host: Upgrading) -> dict[str, Any]:
    """The network as vdsm tells it."""
    caps = host.machine.client("Host", "getCapabilities")
    found: dict[str, Any] = caps["networks"]["ovirtmgmt"]
    return found


def ended(host: Upgrading, release: Release, outcome: str) -> None:
    """The pair of `release` is whole, and the history says how it came to that."""
    host.serves(release)
    entry = host.last()
    assert entry["outcome"] == outcome, entry
    assert entry["new"] is None or entry["new"]["version"] == TWO.version
    assert (entry["reason"] == "") == (outcome == "kept"), entry


@pytest.mark.parametrize("step", KILLS, ids=lambda step: step.name)
def test_the_upgrader_is_killed_behind(at_one: Upgrading, step: Step) -> None:
    before = at_one.untouched()
    at_one.at(f"kill {step.name}")
    done = at_one.upgrade(TWO)
    at_one.wait_for_end()
    if step in OPERATOR:
        assert done.returncode == 137, done.stderr
    if step in OPERATOR[:-1]:
        # Nobody is there to end it, and nothing was touched: the next command does.
        assert at_one.machine.sh(f"ls {STATE}/pending.json")
        closed = at_one.tool("upgrade-undo")
        assert closed.returncode == 0, closed.stderr
        ended(at_one, ONE, "refused")
    elif step in (*UNTOUCHED, *UNDONE):
        assert done.returncode == 1
        assert f"The upgrader ended after {phase(step)}" in done.stdout + done.stderr
        ended(at_one, ONE, "refused" if step in UNTOUCHED else "rolled back")
    else:
        assert step is Step.STARTED or done.returncode == 0, done.stderr
        ended(at_one, TWO, "kept")
    assert at_one.untouched() == before


def phase(step: Step) -> str:
    """The phase on record behind a step."""
    steps = list(Step)
    names = ("FETCHING", "PREPARED", "SWITCHED", "RESTARTED", "KEPT")
    return [one.name for one in steps[: steps.index(step) + 1] if one.name in names][-1]


def test_the_way_back_is_killed_too(at_one: Upgrading) -> None:
    before = at_one.untouched()
    at_one.at("kill RESTARTING", "kill RECORDED")
    assert at_one.upgrade(TWO).returncode == 1
    at_one.wait_for_end()
    ended(at_one, ONE, "rolled back")
    assert at_one.untouched() == before


def test_the_next_upgrade_closes_the_record_of_a_dead_command(at_one: Upgrading) -> None:
    at_one.at("kill PREPARED")
    assert at_one.upgrade(TWO).returncode == 137
    done = at_one.upgrade(TWO)
    assert done.returncode == 0, done.stderr
    assert [entry["outcome"] for entry in at_one.entries()[-2:]] == ["refused", "kept"]
    at_one.serves(TWO)


def power_cut(host: Upgrading) -> None:
    """Cut the power where an upgrade has stopped, and boot again."""
    machine = host.machine
    machine.tool_run("power-cut", machine.name)
    machine.tool_run("boot", machine.name)
    machine.wait(SERVES)


@pytest.mark.parametrize("step", CUTS, ids=lambda step: step.name)
def test_the_power_is_cut_behind(at_one: Upgrading, step: Step) -> None:
    before = network(at_one)
    at_one.at(f"stop {step.name}")
    command = at_one.machine.start("vdsm-tool", "upgrade", *TWO.references)
    at_one.machine.wait(f"[ -e {AT} ]", timeout=120)
    power_cut(at_one)
    command.wait(60)
    if step in KEPT:
        ended(at_one, TWO, "kept")
    else:
        ended(at_one, ONE, "rolled back" if step in UNDONE else "refused")
    assert network(at_one) == before
    # A boot mounts no storage: that is the engine's to do, and it can.
    at_one.connect()
    assert at_one.machine.sh(f"podman exec vdsm cat {MOUNT}/greeting") == "hello"


def test_the_power_is_cut_during_the_way_back(at_one: Upgrading) -> None:
    before = network(at_one)
    at_one.at("kill RESTARTING", "stop RECORDED")
    command = at_one.machine.start("vdsm-tool", "upgrade", *TWO.references)
    at_one.machine.wait(f"[ -e {AT} ]", timeout=120)
    power_cut(at_one)
    command.wait(60)
    ended(at_one, ONE, "rolled back")
    assert network(at_one) == before
    at_one.connect()
