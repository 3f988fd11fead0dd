# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of sanlock and wdmd: nothing but a shutdown may end them."""

import pytest

from supervdsm.storage import sanlock_daemon
from unitfiles import PROJECT, QUADLET, UnitFile, read_unit, seconds
from vdsm_contract import paths

SANLOCK = "vdsm-sanlock.container"
WDMD = "vdsm-wdmd.container"


@pytest.fixture(params=[SANLOCK, WDMD])
def unit(request: pytest.FixtureRequest) -> UnitFile:
    return read_unit(request.param)


def test_nothing_but_a_shutdown_ends_it(unit: UnitFile) -> None:
    assert unit.value("Unit", "RefuseManualStop") == "yes"
    for key in ("PartOf", "Requires", "BindsTo", "Requisite", "Conflicts"):
        assert unit.values("Unit", key) == []


def test_the_pair_starts_sanlock_and_does_not_need_it() -> None:
    assert "vdsm-sanlock.service" in read_unit("vdsm.target").words("Unit", "Wants")
    for name in ("vdsm.target", "vdsm.container", "supervdsm.container"):
        for key in ("Requires", "BindsTo", "Requisite", "PartOf"):
            assert "vdsm-sanlock.service" not in read_unit(name).words("Unit", key)


def test_a_shutdown_ends_vdsm_then_sanlock_then_wdmd() -> None:
    assert "vdsm-sanlock.service" in read_unit("vdsm.container").words("Unit", "After")
    assert read_unit(SANLOCK).words("Unit", "After") == ["vdsm-wdmd.service"]
    assert read_unit(SANLOCK).words("Unit", "Wants") == ["vdsm-wdmd.service"]


def test_a_host_that_has_its_own_keeps_it(unit: UnitFile) -> None:
    program = unit.value("Container", "Exec")
    assert f"!/usr/sbin/{program}" in unit.values("Unit", "ConditionPathExists")


def test_a_host_without_a_watchdog_has_no_wdmd() -> None:
    unit = read_unit(WDMD)
    assert "/dev/watchdog" in unit.values("Unit", "ConditionPathExists")
    assert unit.value("Container", "AddDevice") == "/dev/watchdog"
    assert unit.value("Service", "Restart") == "on-failure"


def test_the_image_is_supervdsm_s_pinned_with_it(unit: UnitFile) -> None:
    image = read_unit("supervdsm.container").value("Container", "Image")
    assert unit.value("Container", "Image") == image
    assert unit.value("Container", "Pull") == "never"
    assert unit.value("Container", "Entrypoint") == "/opt/venv/bin/vdsm-sanlock"
    links = (PROJECT / "containers/pin-links").read_text()
    assert f"/{unit.name}.d/50-pin.conf" in links


def test_it_has_few_privileges(unit: UnitFile) -> None:
    assert unit.value("Container", "DropCapability") == "all"
    assert unit.value("Container", "NoNewPrivileges") == "true"
    assert unit.value("Container", "ReadOnly") == "true"
    assert unit.value("Container", "Network") == "none"
    allowed = {"SETUID", "SETGID", "CHOWN", "IPC_LOCK", "KILL"}
    assert set(unit.words("Container", "AddCapability")) <= allowed


def test_no_crash_is_the_last(unit: UnitFile) -> None:
    assert unit.value("Unit", "StartLimitIntervalSec") == "0"
    assert seconds(unit.value("Service", "RestartSec")) < 1
    assert seconds(unit.value("Service", "RestartMaxDelaySec")) >= 30


def test_podman_ends_the_container_before_systemd_ends_podman(unit: UnitFile) -> None:
    grace = seconds(unit.value("Container", "StopTimeout"))
    assert grace < seconds(unit.value("Service", "TimeoutStopSec"))


def test_sanlock_kills_by_the_host_s_pids_and_sees_mounts_that_come_later() -> None:
    unit = read_unit(SANLOCK)
    assert unit.values("Container", "PodmanArgs") == ["--pid=host"]
    volumes = unit.values("Container", "Volume")
    assert "/rhev:/rhev:rslave" in volumes
    assert f"/dev:{sanlock_daemon.DEVICES}:ro,rslave" in volumes


def test_vdsm_may_ask_sanlock() -> None:
    unit = read_unit("vdsm.container")
    assert "/run/sanlock:/run/sanlock:ro" in unit.values("Container", "Volume")
    assert unit.value("Container", "GroupAdd") == str(paths.SANLOCK_UID)
    made = (QUADLET / "tmpfiles.d/vdsm.conf").read_text().split("\n")
    (line,) = [line.split() for line in made if "/run/sanlock" in line]
    assert line == ["d", "/run/sanlock", "0775", "root", str(paths.SANLOCK_UID), "-"]


def test_every_line_about_podman_says_what_it_becomes(unit: UnitFile) -> None:
    keys = [line.key for line in unit.lines if line.section == "Container"]
    assert len(unit.expectations) == len(keys) - keys.count("Exec")
