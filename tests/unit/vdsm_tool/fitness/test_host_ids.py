# SPDX-License-Identifier: GPL-2.0-or-later
"""uid 36 and gid 36 are vdsm's and kvm's, free, or a reason not to run."""

import pytest

from vdsm_tool.finding import Level
from vdsm_tool.fitness import host_ids
from vdsm_tool.host import Host


@pytest.mark.parametrize(
    ("row", "level", "says"),
    [
        ("vdsm:x:36:36::/:/bin/false", Level.OK, ""),
        ("other:x:1000:1000::/:/bin/false", Level.WARN, "sysusers"),
        ("other:x:36:36::/:/bin/false", Level.FAIL, "other"),
        ("vdsm:x:993:36::/:/bin/false", Level.FAIL, "usermod --uid 36 vdsm"),
        ("+::::::", Level.WARN, "sysusers"),  # nsswitch.conf(5), compat
    ],
)
def test_the_user(host: Host, row: str, level: Level, says: str) -> None:
    host.path("/etc/passwd").write_text(row + "\n")
    finding = host_ids.vdsm_user(host)
    assert finding.level is level
    assert says in finding.way_out


@pytest.mark.parametrize(
    ("row", "level", "says"),
    [
        ("kvm:x:36:", Level.OK, ""),
        ("kvm:x:993:", Level.FAIL, "groupmod --gid 36 kvm"),
        ("other:x:36:", Level.FAIL, "other"),
        ("", Level.WARN, "sysusers"),
    ],
)
def test_the_group(host: Host, row: str, level: Level, says: str) -> None:
    host.path("/etc/group").write_text(row + "\n")
    finding = host_ids.kvm_group(host)
    assert finding.level is level
    assert says in finding.way_out
