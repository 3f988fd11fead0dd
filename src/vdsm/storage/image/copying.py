# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of images on another domain: the same volumes with the same ids, in the same chain.

A volume that is being filled is ILLEGAL. A copy that did not end is removed by the recovery of its
task, which was recorded when there was nothing of it yet.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final

from vdsm.storage import errors
from vdsm.storage.image import preparing
from vdsm.storage.image.data import VolumeData
from vdsm.storage.image.preparing import Link
from vdsm.storage.image.removal import FINISH, ImageRemoval, users_of
from vdsm.storage.model import Legality, VolumeId, VolumeMetadata, VolumeType
from vdsm.storage.protocols import Domains, Recovery, Resource, Task
from vdsm.storage.volume.qemu_img import CommandError
from vdsm.storage.volume.volumes import FileVolumes, NewVolume

log = logging.getLogger(__name__)

UNDO: Final = "copy.undo"
"""The recovery of a task that copies an image: (domain, image) of the copy. It removes it."""


class Operation(IntEnum):
    """What Image.move does."""

    COPY = 1
    MOVE = 2


class Sync(StrEnum):
    """Which volumes Image.syncData copies."""

    ALL = "ALL"
    INTERNAL = "INTERNAL"
    LEAF = "LEAF"


@dataclass(frozen=True, slots=True)
class Place:
    """An image, and the domain that its copy is on, or will be."""

    image: str
    source: str
    target: str


class ImageCopying:
    """Copies images. Who calls holds what `held` says."""

    def __init__(
        self, domains: Domains, volumes: FileVolumes, data: VolumeData, removal: ImageRemoval
    ) -> None:
        self._domains = domains
        self._volumes = volumes
        self._data = data
        self._removal = removal

    # --- what is looked at ------------------------------------------------------------------------

    def chain(self, domain: str, image: str) -> list[Link]:
        """The volumes of an image from its base, without a template that it is based on.

        Raises ImageDoesNotExist, and ImageIsNotLegalChain when it has no leaf, or several.
        """
        described = self._volumes.image_metadata(domain, image)
        own = {name: each for name, each in described.items() if each.image == image}
        if not own:
            raise errors.ImageDoesNotExist(f"image {image}, domain {domain}")
        tops = [name for name, metadata in own.items() if _is_top(metadata)]
        if len(tops) != 1:
            raise errors.ImageIsNotLegalChain(
                f"image {image} in domain {domain} has {len(tops)} legal leaves"
            )
        return self._data.chain(VolumeId(domain, image, tops[0]))

    def held(self, place: Place, *, alone: bool) -> Iterable[Resource]:
        """What a copy needs: the image of the source, `alone` when it is removed after, that of
        the target, and the template's there."""
        yield Resource.domain(place.source, exclusive=False)
        yield Resource.domain(place.target, exclusive=False)
        yield Resource.image(place.source, place.image, exclusive=alone)
        yield Resource.image(place.target, place.image)
        base = self.chain(place.source, place.image)[0].metadata
        if base.image != place.image:
            yield Resource.image(place.target, base.image, exclusive=False)

    def refuse_impossible(self, place: Place) -> None:
        """Raises InvalidParameter for a copy onto itself, MoveTemplateImageError for a template in
        use, ImageDoesNotExist also when the image's template is not on the target."""
        if place.source == place.target:
            raise errors.InvalidParameter("dstSdUUID", "it is the domain of the image")
        self._domains.find(place.target).refuse_unless_data()
        chain = self.chain(place.source, place.image)
        base = chain[0]
        if base.metadata.image != place.image:
            template = VolumeId(place.target, base.metadata.image, base.volume.volume)
            try:
                self._volumes.metadata(template)
            except errors.VolumeDoesNotExist:
                raise errors.ImageDoesNotExist(f"template {template}") from None
        elif base.metadata.volume_type is VolumeType.SHARED:
            files = self._domains.find(place.source).files
            users = users_of(files, place.image, base.volume.volume)
            if users:
                raise errors.MoveTemplateImageError(f"image {place.image}, used by {users[0]}")

    # --- what is done -----------------------------------------------------------------------------

    def make_structure(self, task: Task, place: Place, *, force: bool) -> None:
        """Makes the volumes on the target, without data. An image that is there is removed first,
        when that was forced or when it is not legal. Raises OverwriteImageError."""
        self._make_room(task, place, force=force)
        task.undo_with(Recovery(UNDO, (place.target, place.image)))
        for link in _own(self.chain(place.source, place.image), place.image):
            task.check()
            self._volumes.create_held(task, _at(place.target, link), self._new(link, place))

    def _make_room(self, task: Task, place: Place, *, force: bool) -> None:
        described = self._volumes.image_metadata(place.target, place.image)
        if not described:
            return
        legal = all(each.legality is Legality.LEGAL for each in described.values())
        if legal and not force:
            raise errors.OverwriteImageError(f"image {place.image}, domain {place.target}")
        self._removal.refuse_if_used(place.target, place.image)
        task.undo_with(Recovery(FINISH, (place.target, place.image)))
        self._removal.hide(place.target, place.image)
        self._removal.finish(place.target, place.image)

    def _new(self, link: Link, place: Place) -> NewVolume:
        metadata = link.metadata
        parent = None
        if preparing.has_parent(metadata):
            source = VolumeId(place.source, place.image, metadata.parent)
            owner = self._volumes.metadata(source).image
            parent = VolumeId(place.target, owner, metadata.parent)
        raw_preallocated = preparing.is_raw_preallocated(metadata)
        return NewVolume(
            capacity=metadata.capacity,
            format=metadata.format,
            allocation=metadata.allocation,
            disk_type=metadata.disk_type,
            description=metadata.description,
            parent=parent,
            initial_size=0 if raw_preallocated else None,  # qemu-img allocates it
            sequence=metadata.sequence,
        )

    def fill(self, task: Task, place: Place, which: Sync) -> None:
        """Copies the data of volumes that are on both domains.

        Raises DestinationImageError when the two chains are not alike, PrepareIllegalVolume for a
        source that is not legal, CopyImageError, NoSpaceLeft; the target is ILLEGAL then.
        """
        source = self.chain(place.source, place.image)
        preparing.refuse_illegal(source)
        target = self._target_chain(place, source)
        numbers = _chosen(source, place.image, which)
        for number in numbers:
            self._set(target[number], legality=Legality.ILLEGAL)
        for number in numbers:
            self._copy(task, source[: number + 1], target[: number + 1])
        for number in numbers:
            kind = source[number].metadata.volume_type
            self._set(target[number], legality=Legality.LEGAL, kind=kind)

    def _target_chain(self, place: Place, source: Sequence[Link]) -> list[Link]:
        """The same volumes on the target, also when an attempt before left them ILLEGAL."""
        try:
            target = self._data.chain(_at(place.target, source[-1]))
        except errors.VolumeDoesNotExist:
            target = []
        names = [[link.volume.volume for link in chain] for chain in (source, target)]
        if names[0] != names[1]:
            raise errors.DestinationImageError(
                f"image {place.image} in domain {place.target} has not the volumes of the source"
            )
        return target

    def _copy(self, task: Task, source: Sequence[Link], target: Sequence[Link]) -> None:
        task.check()
        operation = self._data.copy(source, target)
        try:
            with task.on_abort(operation.abort):
                operation.run_checked()
        except CommandError as error:
            raise errors.CopyImageError(f"{source[-1].volume}: {error.reason}") from error

    def _set(self, link: Link, *, legality: Legality, kind: VolumeType | None = None) -> None:
        def change(now: VolumeMetadata) -> VolumeMetadata:
            return replace(now, legality=legality, volume_type=kind or now.volume_type)

        self._volumes.change_metadata(link.volume, change)

    def undo(self, domain: str, image: str) -> None:
        """Removes a copy, or what there is of it; nothing there: no error."""
        try:
            self._removal.hide(domain, image)
        except errors.ImageDoesNotExist:
            return
        self._removal.finish(domain, image)


def _at(domain: str, link: Link) -> VolumeId:
    return replace(link.volume, domain=domain)


def _own(chain: Sequence[Link], image: str) -> list[Link]:
    return [link for link in chain if link.metadata.image == image]


def _is_top(metadata: VolumeMetadata) -> bool:
    legal = metadata.legality is Legality.LEGAL
    return legal and metadata.volume_type is not VolumeType.INTERNAL


def _chosen(chain: Sequence[Link], image: str, which: Sync) -> list[int]:
    """The places in the chain of the volumes that are copied; a template's never is."""
    own = [number for number, link in enumerate(chain) if link.metadata.image == image]
    leaf = len(chain) - 1
    if which is Sync.LEAF:
        return [leaf]
    return own if which is Sync.ALL else [number for number in own if number != leaf]
