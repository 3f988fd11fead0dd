# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU vulnerabilities: the shape that the engine reads."""

from pathlib import Path

from supervdsm.host import cpu


def test_names_are_in_capitals_and_texts_in_parentheses(tmp_path: Path) -> None:
    directory = tmp_path / "devices/system/cpu/vulnerabilities"
    directory.mkdir(parents=True)
    (directory / "l1tf").write_text("Mitigation: PTE Inversion; VMX: flush not necessary\n")
    (directory / "meltdown").write_text("Not affected\n")
    assert cpu.vulnerabilities(tmp_path) == {
        "L1TF": "(Mitigation: PTE Inversion; VMX: flush not necessary)",
        "MELTDOWN": "(Not affected)",
    }


def test_a_kernel_that_reports_none(tmp_path: Path) -> None:
    assert cpu.vulnerabilities(tmp_path) == {}
