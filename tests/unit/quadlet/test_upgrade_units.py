# SPDX-License-Identifier: GPL-2.0-or-later
"""The units that swap images and that end a swap which was cut off."""

import pytest

from unitfiles import UnitFile, read_unit
from vdsm_tool.upgrade import paths, start
from vdsm_tool.upgrade.services import UPGRADE

RESUME = "vdsm-upgrade-resume.service"


@pytest.fixture(params=[UPGRADE, RESUME])
def unit(request: pytest.FixtureRequest) -> UnitFile:
    return read_unit(request.param)


def minutes(text: str) -> int:
    return int(text.removesuffix("min"))


def test_it_runs_only_with_an_upgrade_on_record(unit: UnitFile) -> None:
    assert unit.value("Unit", "ConditionPathExists") == str(paths.PENDING)


def test_it_knows_the_images(unit: UnitFile) -> None:
    assert unit.value("Service", "EnvironmentFile") == f"-{paths.IMAGES_ENV}"


def test_systemd_ends_all_of_it(unit: UnitFile) -> None:
    assert unit.value("Service", "Type") == "oneshot"
    assert unit.value("Service", "Environment").startswith("VDSM_TOOL_CONTAINER=")
    assert unit.value("Service", "Delegate") == "yes"
    assert unit.values("Service", "KillMode") == []


def test_the_new_image_swaps_and_the_old_one_undoes() -> None:
    unit = read_unit(UPGRADE)
    assert "VDSM_TOOL_IMAGE=$$NEW exec vdsm-tool upgrade-run" in unit.value("Service", "ExecStart")
    back = unit.value("Service", "ExecStopPost")
    assert f"test -e {paths.PENDING} || exit 0;" in back
    old, new = back.split("||")[1:]
    assert "VDSM_TOOL_IMAGE=$$OLD vdsm-tool upgrade-undo" in old
    assert "VDSM_TOOL_IMAGE=$$NEW vdsm-tool upgrade-undo" in new


def test_vdsm_tool_s_own_limit_comes_first() -> None:
    assert minutes(read_unit(UPGRADE).value("Service", "TimeoutStartSec")) * 60 > start.LONGEST


def test_a_boot_decides_before_anything_runs() -> None:
    unit = read_unit(RESUME)
    before = unit.words("Unit", "Before")
    assert {"supervdsm.service", "vdsm.service", "vdsm-lldpd.service"} <= set(before)
    assert RESUME in read_unit("vdsm.target").words("Unit", "Wants")
    assert "upgrade-undo --boot" in unit.value("Service", "ExecStart")


def test_a_boot_goes_on_without_it() -> None:
    assert minutes(read_unit(RESUME).value("Service", "TimeoutStartSec")) <= 3
    for name in ("supervdsm.container", "vdsm.container", "vdsm.target"):
        for key in ("Requires", "BindsTo", "Requisite"):
            assert RESUME not in read_unit(name).words("Unit", key)
