# SPDX-License-Identifier: GPL-2.0-or-later
"""The process ring's fault sweep on a kernel with VLANs and bonds, in a namespace of the VM.

This machine is slow: one of VDSM_SWEEP_EVERY steps is taken (1: all of them).
"""

import os
import re

import pytest

from machines import ROOT, Machine, Report

DIRECTORY = "/opt/sweep"
EVERY = int(os.environ.get("VDSM_SWEEP_EVERY", "9"))
HOSTS = 2
"""As many as it has processors. Each begins with some changes that are not of the sweep."""
LIMIT = 600 + 4800 / EVERY
_FOUND = re.compile(r"(\w+): (\d+) operations, (\d+) steps; (\d+) led back, (\d+) led forward")


@pytest.mark.timeout(LIMIT + 100)
def test_killed_and_refused_in_a_change_of_vlans_and_bonds_it_leads_to_one_of_both_ends(
    vm: Machine, report: Report
) -> None:
    vm.sh(f"rm -rf {DIRECTORY}; mkdir {DIRECTORY}; podman cp supervdsm:/opt/venv {DIRECTORY}/venv")
    try:
        vm.copy_in(ROOT / "tests/faults", f"{DIRECTORY}/faults")
        found = vm.sh(
            f"cd {DIRECTORY}; packages=$(echo $PWD/venv/lib/python3*/site-packages);"
            f"PYTHONPATH=$PWD:$packages python3 -m faults.sweep --vlans-and-bonds"
            f" --every {EVERY} --hosts {HOSTS}",
            timeout=LIMIT,
        )
    finally:
        vm.sh(f"rm -rf {DIRECTORY}")
    report(found)
    seen = {name: [int(one) for one in numbers] for name, *numbers in _FOUND.findall(found)}
    assert seen.keys() == {"killed", "refused"}
    for operations, steps, back, forward in seen.values():
        assert operations >= 30
        assert back + forward == steps > 5
        assert back > forward
