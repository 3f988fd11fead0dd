# SPDX-License-Identifier: GPL-2.0-or-later
"""Recoveries by the names that oVirt's own releases have for them, so that either undoes what the
other left behind. Pure.

A release of oVirt runs a function of one of its modules. Where it has one that does what ours does,
ours is written under that name; otherwise under `tasks.Recovery`, which it does not have: it then
reports the task as failed, as this one does with what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final

from vdsm.storage import layout, model
from vdsm.storage.formats.task_state import RecoveryRecord
from vdsm.storage.protocols import Recovery

VOLUME_CREATE_UNDO: Final = "volume.create.undo"
"""Removes what there is of a volume. Params: domain, image, volume."""

NOTHING: Final = "nothing"
"""A recovery that does nothing: a mark within the recoveries of another release."""

_MODULE = "tasks"
_OBJECT = "Recovery"
_FILE_VOLUME = ("fileVolume", "FileVolume")

_REMOVE_VOLUME = "shareVolumeRollback"
"""Takes the path of a volume; removes its data, metadata and lease, as far as they are there."""


def to_record(recovery: Recovery, pool_path: PurePosixPath) -> RecoveryRecord:
    """`pool_path` is the directory of the pool, where each domain has a link."""
    if recovery.name == VOLUME_CREATE_UNDO and len(recovery.params) == 3:
        domain, image, volume = recovery.params
        path = str(pool_path / domain / layout.volume(image, volume))
        return RecoveryRecord(recovery.name, *_FILE_VOLUME, _REMOVE_VOLUME, (path,))
    function = recovery.name.replace(".", "_")
    return RecoveryRecord(recovery.name, _MODULE, _OBJECT, function, recovery.params)


def from_record(record: RecoveryRecord) -> Recovery | None:
    """The recovery that does it here; None when there is none."""
    if (record.module, record.object) == (_MODULE, _OBJECT):
        return Recovery(record.name, record.params)
    reader = _FOREIGN.get(record.function)
    return None if reader is None else reader(record.params)


def _nothing(_params: Sequence[str]) -> Recovery:
    return Recovery(NOTHING, ())


def _remove_by_path(number: int) -> Callable[[Sequence[str]], Recovery | None]:
    """Reads the volume from its path, which is the param of this number."""

    def read(params: Sequence[str]) -> Recovery | None:
        if len(params) <= number:
            return None
        parts = PurePosixPath(params[number]).parts[-4:]
        if len(parts) != 4 or parts[1] != layout.IMAGES:
            return None
        return _remove(parts[0], *parts[2:])

    return read


def _remove_by_ids(params: Sequence[str]) -> Recovery | None:
    return _remove(*params[1:4]) if len(params) >= 4 else None


def _remove(*ids: str) -> Recovery | None:
    return Recovery(VOLUME_CREATE_UNDO, ids) if all(map(model.is_uuid, ids)) else None


_FOREIGN: Final[dict[str, Callable[[Sequence[str]], Recovery | None]]] = {
    "startCreateVolumeRollback": _nothing,  # marks where the recoveries of a volume begin
    "halfbakedVolumeRollback": _remove_by_path(2),
    "createVolumeMetadataRollback": _remove_by_path(0),
    "createVolumeRollback": _remove_by_ids,
    _REMOVE_VOLUME: _remove_by_path(0),
    # The parent that was made internal: removing its child makes it a leaf again.
    "parentVolumeRollback": _nothing,
}
"""Functions of oVirt's file volumes, by name; the params are oVirt's."""
