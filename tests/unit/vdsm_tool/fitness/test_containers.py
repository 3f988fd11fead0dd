# SPDX-License-Identifier: GPL-2.0-or-later
"""systemd, podman, Quadlet, control groups: each way that a host can be unfit."""

from collections.abc import Callable

import pytest

from vdsm_tool.finding import Finding, Level
from vdsm_tool.fitness import containers
from vdsm_tool.host import Host


@pytest.mark.parametrize(
    "check",
    [
        containers.systemd,
        containers.podman,
        containers.quadlet,
        containers.control_groups,
        containers.package_installation,
    ],
)
def test_a_fit_host_is_fit(host: Host, check: Callable[[Host], Finding]) -> None:
    assert check(host).level is Level.OK


def test_another_pid_1_is_named(host: Host) -> None:
    (host.proc / "1/comm").write_text("init\n")
    finding = containers.systemd(host)
    assert finding.level is Level.FAIL
    assert "init" in finding.detail


@pytest.mark.parametrize(("version", "level"), [("251", Level.FAIL), ("252", Level.OK)])
def test_an_old_systemd_is_refused(
    host: Host, answers: dict[str, str], version: str, level: Level
) -> None:
    answers["systemctl --version"] = f"systemd {version} (x)\n"
    assert containers.systemd(host).level is level


@pytest.mark.parametrize(
    ("version", "level"),
    [("4.9.4", Level.FAIL), ("5.2.5", Level.FAIL), ("5.3.0-rc1", Level.OK), ("10.0.1", Level.OK)],
)
def test_podman_5_3_is_needed(
    host: Host, answers: dict[str, str], version: str, level: Level
) -> None:
    answers["podman version --format json"] = f'{{"Client": {{"Version": "{version}"}}}}'
    assert containers.podman(host).level is level


def test_no_podman_is_a_failure(host: Host, answers: dict[str, str]) -> None:
    del answers["podman version --format json"]
    assert containers.podman(host).level is Level.FAIL


def test_an_answer_that_is_none_is_unknown(host: Host, answers: dict[str, str]) -> None:
    answers["podman version --format json"] = "{}"
    assert containers.podman(host).level is Level.UNKNOWN


def test_podman_without_quadlet_is_a_failure(host: Host) -> None:
    host.path("/usr/lib/systemd/system-generators/podman-system-generator").unlink()
    assert containers.quadlet(host).level is Level.FAIL


def test_the_old_hierarchy_is_a_failure(host: Host) -> None:
    mounts = host.proc / "1/mountinfo"
    mounts.write_text(mounts.read_text().replace("cgroup2 cgroup2", "tmpfs tmpfs"))
    finding = containers.control_groups(host)
    assert finding.level is Level.FAIL
    assert "tmpfs" in finding.detail


def test_a_missing_controller_is_a_warning(host: Host) -> None:
    host.path("/sys/fs/cgroup/cgroup.controllers").write_text("cpu memory\n")
    finding = containers.control_groups(host)
    assert finding.level is Level.WARN
    assert "pids_limit" in finding.way_out


def test_a_vdsm_from_packages_is_a_failure(host: Host) -> None:
    path = host.path("/usr/lib/systemd/system/vdsmd.service")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    assert containers.package_installation(host).level is Level.FAIL


def test_a_masked_vdsm_from_packages_is_none(host: Host) -> None:
    for directory in ("usr/lib", "etc"):
        host.path(f"/{directory}/systemd/system").mkdir(parents=True, exist_ok=True)
    host.path("/usr/lib/systemd/system/vdsmd.service").write_text("")
    host.path("/etc/systemd/system/vdsmd.service").symlink_to("/dev/null")
    assert containers.package_installation(host).level is Level.OK
    host.path("/usr/lib/systemd/system/supervdsmd.service").write_text("")
    assert "supervdsmd" in containers.package_installation(host).detail
