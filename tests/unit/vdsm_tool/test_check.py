# SPDX-License-Identifier: GPL-2.0-or-later
"""`check` as a whole: every check runs, and one that cannot read stops no other."""

from vdsm_tool.commands.check import collect
from vdsm_tool.finding import Level
from vdsm_tool.fitness import CHECKS
from vdsm_tool.host import Host


def test_every_check_reports_once(host: Host) -> None:
    report = collect(host)
    assert len(report.findings) == len(CHECKS)
    assert len({finding.name for finding in report.findings}) == len(CHECKS)


def test_whatever_is_not_well_has_a_way_out(host: Host) -> None:
    (host.proc / "1/comm").write_text("init\n")
    for finding in collect(host).findings:
        assert bool(finding.way_out) == (finding.level is not Level.OK), finding


def test_a_file_that_cannot_be_read_stops_no_other_check(host: Host) -> None:
    host.path("/etc/passwd").unlink()
    report = collect(host)
    assert len(report.findings) == len(CHECKS)
    assert any(f.level is Level.UNKNOWN and "/etc/passwd" in f.detail for f in report.findings)


def test_an_ignored_finding_is_shown_and_does_not_count(host: Host) -> None:
    (host.proc / "1/comm").write_text("init\n")
    assert collect(host).verdict is Level.FAIL
    failing = {one.name for one in collect(host).findings if one.level is Level.FAIL}
    report = collect(host, ignored=failing)
    assert report.verdict is not Level.FAIL
    assert failing <= {one.name for one in report.findings}
