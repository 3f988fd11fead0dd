# SPDX-License-Identifier: GPL-2.0-or-later
"""Preparing an image: what is checked and set before a machine or a client opens its volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.files import FileStat
from vdsm.storage.image.prepared import PreparedLinks
from vdsm.storage.model import (
    BLANK_UUID,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeMetadata,
)
from vdsm.storage.protocols import Domain, Volumes
from vdsm.storage.volume.store import VolumeStore

_USER_BITS: Final = 0o700


@dataclass(frozen=True, slots=True)
class Link:
    """A volume of a chain, as it is in the image that is prepared."""

    volume: VolumeId
    metadata: VolumeMetadata


def chain_of(volumes: VolumeStore, leaf: VolumeId) -> list[Link]:
    """The chain of an image, from its base to `leaf`. The volume of a template is named as the link
    to it in this image. Raises VolumeDoesNotExist, and ImageIsNotLegalChain for a loop, a parent
    that is missing, or one that belongs to another image and is no template."""
    return [
        Link(VolumeId(leaf.domain, leaf.image, volume.volume), metadata)
        for volume, metadata in volumes.described_chain(leaf)
    ]


def has_parent(metadata: VolumeMetadata) -> bool:
    return metadata.parent != BLANK_UUID


def is_raw_preallocated(metadata: VolumeMetadata) -> bool:
    raw = metadata.format is Format.RAW
    return raw and metadata.allocation is Allocation.PREALLOCATED


def refuse_illegal(chain: list[Link]) -> None:
    """Raises PrepareIllegalVolume when one of the chain is not legal."""
    for link in chain:
        if link.metadata.legality is not Legality.LEGAL:
            legality = link.metadata.legality.value
            raise errors.PrepareIllegalVolume(f"{link.volume} is {legality}")


def refuse_leading_out(volumes: VolumeStore, chain: list[Link]) -> None:
    """Raises ImageIsNotLegalChain for a header that names a file outside of the domain's images: a
    machine would open it. One that only differs from the metadata is let through, as in oVirt: it
    does after a merge, until the engine has reconciled the chain."""
    for link in chain:
        if link.metadata.format is Format.COW:
            volumes.file(link.volume, link.metadata.format)


def open_to_group(domain: Domain, chain: list[Link]) -> None:
    """Gives the group what the owner may: qemu is in the group. Raises VolumeDoesNotExist,
    VolumeAccessError for one that is no file, and InsufficientPermissions."""
    stats = _stats(domain, chain[-1].volume.image)
    for link in chain:
        stat = stats.get(link.volume.volume)
        if stat is None:
            raise errors.VolumeDoesNotExist(f"{link.volume} has no file")
        if stat.kind != "file":
            raise errors.VolumeAccessError(f"{link.volume} is a {stat.kind} and not a file")
        mode = stat.mode & 0o7777
        wanted = mode | (mode & _USER_BITS) >> 3
        if wanted != mode:
            with writing(str(link.volume), errors.VolumeAccessError):
                domain.files.chmod(layout.volume(link.volume.image, link.volume.volume), wanted)


def _stats(domain: Domain, image: str) -> Mapping[str, FileStat]:
    with reading(f"image {image}, domain {domain.uuid}", errors.ImagePathError):
        return domain.files.scan(layout.image(image))


def make_link(links: PreparedLinks, domain: Domain, image: str) -> Path:
    """The link of the image's directory below /run. Raises ImagePathError."""
    try:
        return links.make(domain.uuid, image, domain.path / layout.image(image))
    except OSError as error:
        raise errors.ImagePathError(f"{links.path(domain.uuid, image)}: {error}") from error


def prepared_info(volumes: Volumes, domain: Domain, chain: list[Link], directory: Path) -> JSON:
    """PreparedImageInfo: `path` below `directory`, the one that the caller shall open; `info` is
    what libvirt is told of it; `imgVolumesInfo` has the chain from the base."""
    leaf = chain[-1].volume
    return {
        "path": str(directory / leaf.volume),
        "info": {"type": "file", "path": str(domain.path / layout.volume(leaf.image, leaf.volume))},
        "imgVolumesInfo": [_volume_info(volumes, domain, link.volume) for link in chain],
    }


def _volume_info(volumes: Volumes, domain: Domain, volume: VolumeId) -> JSON:
    info: dict[str, JSON] = {
        "domainID": volume.domain,
        "imageID": volume.image,
        "volumeID": volume.volume,
        "path": str(domain.path / layout.volume(volume.image, volume.volume)),
    }
    if domain.lock.supports_volume_leases:
        lease = volumes.lease(volume)
        info |= {"leasePath": lease.path, "leaseOffset": lease.offset}
    return info
