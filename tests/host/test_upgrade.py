# SPDX-License-Identifier: GPL-2.0-or-later
"""One release to the next and back, under the load of a client, and what an operator sees."""

import json
import os
from pathlib import Path

import pytest

from host.releases import Release
from host.upgrades import ONE, TWO, Load, Upgrading, load
from machines import Report

ROUNDS = int(os.environ.get("VDSM_UPGRADE_ROUNDS", "2"))
RATE = 50
SECONDS_PER_SWAP = 60


@pytest.fixture
def at_one(upgrading: Upgrading) -> Upgrading:
    """The host, with its first release."""
    if upgrading.machine.sh("readlink /etc/vdsm/pins/current").startswith(f"{TWO.version}-"):
        assert upgrading.upgrade(ONE).returncode == 0
    upgrading.serves(ONE)
    return upgrading


@pytest.mark.timeout(120 + ROUNDS * 2 * SECONDS_PER_SWAP)
def test_up_and_back_under_load(at_one: Upgrading, tmp_path: Path, report: Report) -> None:
    host = at_one.machine
    host.copy_out("/etc/pki/vdsm", tmp_path / "pki")
    before, since = at_one.untouched(), host.sh("date +%s")
    rounds, calls = 0, Load()
    try:
        with load(host, tmp_path / "pki", RATE, calls):
            for _ in range(ROUNDS):
                for release in (TWO, ONE):
                    done = at_one.upgrade(release)
                    assert done.returncode == 0, done.stderr
                    at_one.serves(release)
                    assert at_one.untouched() == before
                rounds += 1
    finally:
        report(f"{rounds} times up and back: {calls}")
    calls.check()
    run = calls.seen["run"]
    audit = f"journalctl --since=@{since} -u supervdsm.service -o cat --no-pager"
    flows = host.sh(f"{audit} | grep -o 'by vdsm.* flow=\"{run}-[0-9]*' | grep -o '{run}-[0-9]*'")
    ran = flows.split()
    assert len(ran) > calls.seen["made"] / 20, "calls went on to supervdsm"
    assert len(ran) == len(set(ran)), "supervdsm ran a call twice"


def test_rollback_goes_back_and_forth(at_one: Upgrading) -> None:
    before = json.loads(at_one.tool("history", "--json").stdout)["previous"]
    vdsm, supervdsm = at_one.ids["one"]
    for wanted in ((before["vdsm"], before["supervdsm"]), (vdsm, supervdsm)):
        done = at_one.tool("rollback", "--json")
        assert done.returncode == 0, done.stderr
        entry = json.loads(done.stdout)
        assert (entry["kind"], entry["outcome"]) == ("rollback", "kept")
        assert (entry["new"]["vdsm"], entry["new"]["supervdsm"]) == wanted
    at_one.serves(ONE)
    text = at_one.tool("history", "--text").stdout
    assert f"rollback {before['version']} -> {ONE.version}  kept" in text


def test_a_dry_run_changes_nothing(at_one: Upgrading) -> None:
    history = at_one.entries()
    done = at_one.upgrade(TWO, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "dry run"
    at_one.serves(ONE)
    assert at_one.entries() == history


def test_the_same_pair_again_is_nothing_to_do(at_one: Upgrading) -> None:
    history, started = at_one.entries(), at_one.machine.pid("supervdsm")
    done = at_one.upgrade(ONE, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "unchanged"
    assert at_one.machine.pid("supervdsm") == started
    assert at_one.entries() == history
    at_one.serves(ONE)


def test_of_two_at_once_one_is_told_of_the_other(at_one: Upgrading) -> None:
    host = at_one.machine
    at_one.at("stop SWITCHED")
    first = host.start("vdsm-tool", "upgrade", *TWO.references)
    host.wait("[ -e /run/upgrade-at ]")
    for words in (["upgrade", *TWO.references], ["rollback"], ["history", "--prune"]):
        second = at_one.tool(*words)
        assert second.returncode == 1
        assert "is under way" in second.stderr, second.stderr
    # The operator has seen enough.
    host.sh("systemctl stop vdsm-upgrade.service")
    assert first.wait(120) == 1
    at_one.serves(ONE)
    assert at_one.last()["outcome"] == "rolled back"


def test_ctrl_c_leaves_the_swap_to_its_unit(at_one: Upgrading) -> None:
    host = at_one.machine
    at_one.at("stop ORDERED")
    first = host.start("vdsm-tool", "upgrade", *TWO.references)
    host.wait("[ -e /run/upgrade-at ]")
    host.sh("pkill -INT --full '[v]dsm-tool upgrade localhost'")
    assert first.wait(60) == 130
    # What stops behind a step is ended; the unit undoes.
    host.sh("pkill -KILL --full '[v]dsm-tool upgrade-run'")
    at_one.wait_for_end()
    at_one.serves(ONE)


def test_prune_leaves_the_pinned_pair_and_the_one_before(at_one: Upgrading) -> None:
    third = Release("three", "0.1.3")
    at_one.add(third)
    for release in (third, TWO):
        assert at_one.upgrade(release).returncode == 0
    # What comes before now is the third one, not the first.
    pruned = json.loads(at_one.tool("history", "--prune", "--json").stdout)["pruned"]
    assert any(f":{ONE.version}-" in name for name in pruned), pruned
    kept = (third, TWO)
    assert not any(f":{one.version}-" in name for one in kept for name in pruned), pruned
    at_one.serves(TWO)
    at_one.add(ONE)
