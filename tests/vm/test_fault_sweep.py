# SPDX-License-Identifier: GPL-2.0-or-later
"""The process ring's fault sweep on a kernel with VLANs and bonds, in a namespace of the VM.

This machine is slow: it takes some of the steps. `faults.sweep --vlans-and-bonds` takes them all.
"""

import re

from machines import ROOT, Machine, Report

DIRECTORY = "/opt/sweep"
EVERY = 9
_FOUND = re.compile(r"(\w+): (\d+) operations, (\d+) steps; (\d+) led back, (\d+) led forward")


def test_killed_and_refused_in_a_change_of_vlans_and_bonds_it_leads_to_one_of_both_ends(
    vm: Machine, report: Report
) -> None:
    vm.sh(f"rm -rf {DIRECTORY}; mkdir {DIRECTORY}; podman cp supervdsm:/opt/venv {DIRECTORY}/venv")
    try:
        vm.copy_in(ROOT / "tests/faults", f"{DIRECTORY}/faults")
        found = vm.sh(
            f"cd {DIRECTORY}; packages=$(echo $PWD/venv/lib/python3*/site-packages);"
            f"PYTHONPATH=$PWD:$packages python3 -m faults.sweep --vlans-and-bonds --every {EVERY}",
            timeout=1100,
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
