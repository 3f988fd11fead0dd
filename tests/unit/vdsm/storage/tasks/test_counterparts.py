# SPDX-License-Identifier: GPL-2.0-or-later
"""Recoveries that oVirt's own releases know, and that they left behind."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from vdsm.storage.formats.task_state import RecoveryRecord
from vdsm.storage.protocols import Recovery
from vdsm.storage.tasks.counterparts import NOTHING, from_record, to_record

POOL = PurePosixPath("/rhev/data-center/pool")
SD, IMG, VOL = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
PATH = f"/rhev/data-center/mnt/server:_export/{SD}/images/{IMG}/{VOL}"
REMOVE = Recovery("volume.create.undo", (SD, IMG, VOL))


def test_the_undo_of_a_new_volume_is_written_as_one_that_ovirt_runs() -> None:
    record = to_record(REMOVE, POOL)
    assert (record.module, record.object, record.function, record.params) == (
        "fileVolume",
        "FileVolume",
        "shareVolumeRollback",
        (f"/rhev/data-center/pool/{SD}/images/{IMG}/{VOL}",),
    )
    assert from_record(record) == REMOVE


@pytest.mark.parametrize("name", ["volume.delete.finish", "image.delete.finish", "copy.undo"])
def test_one_without_a_counterpart_comes_back_by_its_own_name(name: str) -> None:
    recovery = Recovery(name, (SD, IMG))
    assert from_record(to_record(recovery, POOL)) == recovery


@pytest.mark.parametrize(
    ("function", "params", "recovery"),
    [
        ("startCreateVolumeRollback", (SD, IMG, VOL), Recovery(NOTHING, ())),
        ("parentVolumeRollback", (SD, IMG, VOL), Recovery(NOTHING, ())),
        ("halfbakedVolumeRollback", (SD, VOL, PATH), REMOVE),
        ("createVolumeMetadataRollback", (PATH,), REMOVE),
        ("createVolumeRollback", ("/rhev", SD, IMG, VOL, "/dir"), REMOVE),
        ("shareVolumeRollback", (PATH,), REMOVE),
        ("rebaseVolumeRollback", (SD, IMG, VOL), None),
        ("createVolumeRollback", (SD,), None),
        ("shareVolumeRollback", (), None),
        ("shareVolumeRollback", ("/etc/passwd",), None),
        ("shareVolumeRollback", (f"/{SD}/images/../{VOL}",), None),
        ("createVolumeRollback", ("/rhev", SD, "..", VOL, "/dir"), None),
    ],
)
def test_what_ovirt_left_behind_is_undone_as_far_as_it_is_known(
    function: str, params: tuple[str, ...], recovery: Recovery | None
) -> None:
    record = RecoveryRecord("a rollback", "fileVolume", "FileVolume", function, params)
    assert from_record(record) == recovery
