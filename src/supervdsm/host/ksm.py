# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel same-page merging.

Source: Documentation/admin-guide/mm/ksm.rst. `run` is 0 (stop), 1 (merge) or 2 (stop and unmerge);
`merge_across_nodes` can only change while no page is merged, else EBUSY.
"""

import logging
from pathlib import Path
from typing import Final

from msgspec import UNSET

from supervdsm.host import setting
from vdsm_contract.errors import InvalidArgument, KernelSettingFailed
from vdsm_contract.types import KsmTuning

_log = logging.getLogger(__name__)

_MERGE: Final = 1
_BELOW: Final = {
    "run": 3,
    "merge_across_nodes": 3,
    "sleep_millisecs": 2**32,
    "pages_to_scan": 2**32,
}
"""What each value must stay below; none may be negative."""


def tune(sysfs: Path, tuning: KsmTuning) -> None:
    """Apply all of `tuning` or nothing.

    Raises InvalidArgument before the first write, KernelSettingFailed when the kernel lacks a
    setting or refuses a value; what this call had written before that is put back.
    """
    directory = sysfs / "kernel/mm/ksm"
    wanted = steps(tuning)
    before = {name: setting.read(directory / name) for name, _ in wanted}
    written: list[str] = []
    try:
        for name, value in wanted:
            if before[name] != value:
                setting.write(directory / name, value)
                written.append(name)
    except KernelSettingFailed:
        _put_back(directory, {name: before[name] for name in reversed(written)})
        raise


def steps(tuning: KsmTuning) -> list[tuple[str, int]]:
    """Return the settings of `tuning` in the order in which they must be written.

    Merging is stopped before the other settings change and started after them. Raises
    InvalidArgument.
    """
    values: dict[str, int] = {}
    for name, below in _BELOW.items():
        value: object = getattr(tuning, name)
        if value is UNSET:
            continue
        if not isinstance(value, int) or not 0 <= value < below:
            raise InvalidArgument(field=f"tuning.{name}", reason=f"must be 0 to {below - 1}")
        values[name] = value
    if values.get("run") == _MERGE:
        values["run"] = values.pop("run")
    return list(values.items())


def _put_back(directory: Path, before: dict[str, int]) -> None:
    """Restore what was written, last write first. A failure is logged: the first error is the
    caller's.
    """
    for name, value in before.items():
        try:
            setting.write(directory / name, value)
        except KernelSettingFailed as error:
            _log.error("Failed to put back %s=%d: %s", name, value, error)
