# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel same-page merging: ranges, order of writes, all or nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.host import ksm
from vdsm_contract.errors import InvalidArgument, KernelSettingFailed
from vdsm_contract.types import KsmTuning

BEFORE = {"run": 0, "merge_across_nodes": 1, "sleep_millisecs": 20, "pages_to_scan": 100}


def fake_sysfs(root: Path) -> Path:
    directory = root / "kernel/mm/ksm"
    directory.mkdir(parents=True)
    for name, value in BEFORE.items():
        (directory / name).write_text(f"{value}\n")
    return directory


def settings(directory: Path) -> dict[str, int]:
    return {name: int((directory / name).read_text()) for name in BEFORE}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run", 3),
        ("run", -1),
        ("merge_across_nodes", 3),
        ("sleep_millisecs", 2**32),
        ("pages_to_scan", -1),
    ],
)
def test_a_value_out_of_range_is_named_and_nothing_is_written(
    tmp_path: Path, name: str, value: int
) -> None:
    directory = fake_sysfs(tmp_path)
    tuning = KsmTuning(run=2, pages_to_scan=7)
    setattr(tuning, name, value)
    with pytest.raises(InvalidArgument) as raised:
        ksm.tune(tmp_path, tuning)
    assert raised.value.field == f"tuning.{name}"
    assert settings(directory) == BEFORE


def test_what_is_left_out_stays(tmp_path: Path) -> None:
    directory = fake_sysfs(tmp_path)
    ksm.tune(tmp_path, KsmTuning(pages_to_scan=2**32 - 1, run=1))
    assert settings(directory) == BEFORE | {"pages_to_scan": 2**32 - 1, "run": 1}


def test_a_setting_that_the_kernel_lacks_changes_nothing(tmp_path: Path) -> None:
    directory = fake_sysfs(tmp_path)
    (directory / "merge_across_nodes").unlink()
    with pytest.raises(KernelSettingFailed) as raised:
        ksm.tune(tmp_path, KsmTuning(sleep_millisecs=5, merge_across_nodes=0))
    assert raised.value.path.endswith("merge_across_nodes")
    assert (directory / "sleep_millisecs").read_text() == "20\n"


VALUE = st.integers(0, 2)


@given(st.builds(KsmTuning, run=VALUE, merge_across_nodes=VALUE, sleep_millisecs=VALUE))
def test_merging_starts_last_and_stops_first(tuning: KsmTuning) -> None:
    names = [name for name, _ in ksm.steps(tuning)]
    assert names.index("run") == (len(names) - 1 if tuning.run == 1 else 0)
    assert sorted(names) == ["merge_across_nodes", "run", "sleep_millisecs"]
