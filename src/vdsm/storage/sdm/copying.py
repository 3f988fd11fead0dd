# SPDX-License-Identifier: GPL-2.0-or-later
"""copy_data: the data of one volume into another, which is there and empty."""

from __future__ import annotations

from vdsm.storage import errors
from vdsm.storage.image import preparing
from vdsm.storage.image.data import VolumeData
from vdsm.storage.image.preparing import Link
from vdsm.storage.model import VolumeType
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.params import Endpoint
from vdsm.storage.sdm.volume_work import VolumeWork, refuse_generation


def copy_data(
    work: VolumeWork, data: VolumeData, source: Endpoint, target: Endpoint, *, bitmaps: bool
) -> Work:
    """The target is ILLEGAL meanwhile. The job fails with GenerationMismatch (of either),
    PrepareIllegalVolume, SharedVolumeNonWritable, VolumeNonWritable (the source is based on
    it), ImageIsNotLegalChain, VolumeSizeError, ..."""

    def run(job: StorageJob) -> None:
        with work.holding(reads=[source.volume], writes=[target.volume]):
            chain, onto = data.chain(source.volume), data.chain(target.volume)
            preparing.refuse_illegal(chain)
            preparing.refuse_illegal(onto)
            refuse_shared(onto[-1])
            if target.volume in [link.volume for link in chain]:
                raise errors.VolumeNonWritable(f"{target.volume}: {source.volume} is based on it")
            refuse_generation(chain[-1].metadata, source.generation, source.volume)
            operation = data.copy(chain, onto, bitmaps=bitmaps)
            with (
                job.doing(operation),
                work.operation(target.volume, target.generation, illegal=True),
            ):
                operation.run_checked()

    return run


def refuse_shared(link: Link) -> None:
    """Raises SharedVolumeNonWritable for a template's volume."""
    if link.metadata.volume_type is VolumeType.SHARED:
        raise errors.SharedVolumeNonWritable(str(link.volume))
