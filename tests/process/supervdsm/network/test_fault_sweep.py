# SPDX-License-Identifier: GPL-2.0-or-later
"""supervdsm dies, or is refused, at every step of a change: all of it or none of it.

The kernel is dumped by ip(8) after the next start, and the stored files are read. What needs VLANs
and bonds is swept in the vm ring by the same functions.
"""

import os
import random
from collections.abc import Iterator

import pytest

from faults.sweep import SIMPLE, Sweep, killed, prepared, refused, sweep_all

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
]


@pytest.fixture(scope="module")
def sweep() -> Iterator[Sweep]:
    with prepared(SIMPLE) as made:
        yield made


def test_killed_before_any_step_the_next_start_leads_to_one_of_both_ends() -> None:
    swept = sweep_all(SIMPLE, killed)
    print(f"killed: {swept.operations} operations, {len(swept.led)} steps, turn at {swept.turn}")
    assert swept.operations >= 30
    assert set(swept.led) == set(range(1, len(swept.steps) + 1))
    # The turn is the rename that commits; a step is killed before it is done.
    assert swept.steps[swept.turn - 2] == "rename network.journal.new"
    assert "netlink" not in swept.steps[swept.turn - 1 :]


def test_refused_at_any_step_everything_is_as_before() -> None:
    swept = sweep_all(SIMPLE, refused)
    commit = max(n for n, step in enumerate(swept.steps, 1) if step.startswith("rename network."))
    for number, step in enumerate(swept.steps, 1):
        if step.startswith(("netlink", "write")):
            assert swept.led[number] == "old"
        if step.startswith("symlink"):
            # Past the commit the next start ends it.
            assert swept.led[number] == "new"
    assert swept.led[commit] == "old"


@pytest.mark.parametrize("moments", [(1, 1), (4, 2), (9, 9), (15, 1)])
def test_killed_in_recovery_too_it_leads_back(sweep: Sweep, moments: tuple[int, int]) -> None:
    assert sweep.killed_at(45, moments) == "old"


def test_killed_from_outside_at_any_time(sweep: Sweep) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    sweep.host.batch = 100
    sweep.host.restart()
    led = [sweep.killed_at_any_time(moments.uniform(0, 0.25)) for _ in range(10)]
    print(f"led {led}")
    assert set(led) <= {"old", "new"}
