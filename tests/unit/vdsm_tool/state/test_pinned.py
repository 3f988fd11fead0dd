# SPDX-License-Identifier: GPL-2.0-or-later
"""What `status` says of the pins."""

from pathlib import Path

from unit.vdsm_tool.upgrade.swapping import NEW, OLD, FakeHost
from vdsm_tool.finding import Level
from vdsm_tool.state import pinned
from vdsm_tool.upgrade import pins


def test_a_host_without_pins_is_told_of_them(tmp_path: Path) -> None:
    found, (finding,) = pinned.look(tmp_path, [])
    assert found.pair is None
    assert finding.level is Level.WARN


def test_the_pinned_pair_that_runs_is_well(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    fake.serve(OLD)
    found, (finding,) = pinned.look(tmp_path, fake.containers())
    assert found.pair == OLD
    assert finding.level is Level.OK
    assert "1.0" in finding.detail


def test_another_image_that_runs_is_a_finding(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    fake.serve(OLD)
    pins.switch(tmp_path, NEW)
    _, (finding,) = pinned.look(tmp_path, fake.containers())
    assert finding.level is Level.FAIL
    assert f"({OLD.vdsm[:12]})" in finding.detail
    assert "pinned is 1.1" in finding.detail


def test_an_upgrade_that_has_no_end_is_a_finding(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    fake.serve(OLD)
    fake.prepare()
    found, (_, finding) = pinned.look(tmp_path, fake.containers())
    assert found.pending is not None
    assert finding.level is Level.WARN
    assert "to 1.1" in finding.detail


def test_damaged_files_are_findings(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    fake.serve(OLD)
    fake.prepare()
    (tmp_path / "etc/vdsm/pins" / OLD.name / "pair.json").write_text("{")
    (tmp_path / "var/lib/vdsm/upgrade/pending.json").write_text("{")
    _, findings = pinned.look(tmp_path, fake.containers())
    assert [finding.level for finding in findings] == [Level.FAIL, Level.FAIL]
