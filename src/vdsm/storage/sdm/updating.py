# SPDX-License-Identifier: GPL-2.0-or-later
"""update_volume and amend_volume: the metadata of a volume, and the version of its qcow2 header."""

from __future__ import annotations

from dataclasses import replace

from vdsm.storage import errors
from vdsm.storage.formats.volume_metadata import next_generation
from vdsm.storage.image import preparing
from vdsm.storage.image.data import VolumeData
from vdsm.storage.model import BLANK_UUID, Format, VolumeMetadata, VolumeType
from vdsm.storage.protocols import Domains, Volumes
from vdsm.storage.sdm.copying import refuse_shared
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.params import Attributes, Endpoint
from vdsm.storage.sdm.volume_work import VolumeWork, refuse_generation
from vdsm.storage.volume.creation import compat_of
from vdsm.storage.volume.qemu_img import QemuImg


def update_volume(
    work: VolumeWork, volumes: Volumes, endpoint: Endpoint, attributes: Attributes
) -> Work:
    """All attributes change in one write, or none. The job fails with GenerationMismatch,
    InvalidVolumeUpdate."""

    def change(now: VolumeMetadata) -> VolumeMetadata:
        refuse_generation(now, endpoint.generation, endpoint.volume)
        return _updated(now, attributes, endpoint)

    def run(job: StorageJob) -> None:
        with work.holding(writes=[endpoint.volume]):
            job.check()
            volumes.change_metadata(endpoint.volume, change)

    return run


def _updated(now: VolumeMetadata, wanted: Attributes, endpoint: Endpoint) -> VolumeMetadata:
    refused = errors.InvalidVolumeUpdate
    if wanted.shared:
        if now.volume_type is not VolumeType.LEAF:
            raise refused(f"{endpoint.volume} is {now.volume_type.value} and cannot become SHARED")
        if now.parent != BLANK_UUID:
            raise refused(f"{endpoint.volume} has a parent and cannot become SHARED")
        now = replace(now, volume_type=VolumeType.SHARED)
    if wanted.legality is not None:
        if now.legality is wanted.legality:
            raise refused(f"{endpoint.volume} is {wanted.legality.value} already")
        now = replace(now, legality=wanted.legality)
    if wanted.description is not None:
        now = replace(now, description=wanted.description)
    after = next_generation(now.generation) if wanted.generation is None else wanted.generation
    return replace(now, generation=after)


def amend_volume(
    work: VolumeWork,
    domains: Domains,
    data: VolumeData,
    qemu_img: QemuImg,
    endpoint: Endpoint,
    compat: str,
) -> Work:
    """Sets qcow2's compat, "0.10" or "1.1". The volume stays legal: its data does not change. The
    job fails with IncorrectFormat, SharedVolumeNonWritable, UnsupportedDomainVersion, ..."""

    def run(job: StorageJob) -> None:
        with work.holding(writes=[endpoint.volume]):
            chain = data.chain(endpoint.volume)
            preparing.refuse_illegal(chain)
            refuse_shared(chain[-1])
            if chain[-1].metadata.format is not Format.COW:
                raise errors.IncorrectFormat(f"{endpoint.volume} is RAW")
            domain = domains.find(endpoint.volume.domain)
            if compat > compat_of(domain.version):
                raise errors.UnsupportedDomainVersion(
                    f"domain {domain.uuid} of version {domain.version} has no qcow2 of {compat}"
                )
            job.check()
            with work.operation(endpoint.volume, endpoint.generation, illegal=False):
                qemu_img.amend(data.image(chain[-1]).path, compat)

    return run
