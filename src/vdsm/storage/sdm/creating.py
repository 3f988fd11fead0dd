# SPDX-License-Identifier: GPL-2.0-or-later
"""create_volume: a volume that is made by a host that need not be the SPM."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vdsm.storage.model import VolumeId
from vdsm.storage.protocols import Recovery
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.volume_work import VolumeWork
from vdsm.storage.volume.volumes import FileVolumes, NewVolume


def create_volume(work: VolumeWork, volumes: FileVolumes, volume: VolumeId, new: NewVolume) -> Work:
    """A failure or an abort removes what was made. What a crash leaves is no volume, and is removed
    by the next job that makes the same one. The job fails as FileVolumes.create does."""

    def run(job: StorageJob) -> None:
        parents = [new.parent] if new.parent else []
        with work.holding(reads=parents, writes=[volume], leased=False):
            task = _JobTask(job)
            try:
                volumes.create_held(task, volume, new, lambda: work.lease(volume))
            except BaseException:
                if task.begun:
                    volumes.undo_create_held(volume)
                raise

    return run


@dataclass
class _Stopping:
    """What an abort of the job calls; it cannot tell how far it is."""

    stop: Callable[[], None]
    progress: float = 0.0

    def abort(self) -> None:
        self.stop()


class _JobTask:
    """vdsm.storage.protocols.Task of a job, whose recovery is not kept: no SPM would find it."""

    def __init__(self, job: StorageJob) -> None:
        self._job = job
        self.begun = False

    @property
    def id(self) -> str:
        return self._job.id

    def undo_with(self, _recovery: Recovery) -> None:
        self.begun = True

    def commit(self) -> None:
        self.begun = False

    def check(self) -> None:
        self._job.check()

    def on_abort(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        return self._job.doing(_Stopping(stop))
