# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of volumes: which there are, their metadata, their chains. Keeps the protocol Volumes.

A volume is there when its `.meta` is. An image's directory also has the volume of the template that
it is based on, as hard links; the metadata in there names the template's image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.files import Files
from vdsm.storage.formats import volume_metadata
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.model import (
    BLANK_UUID,
    Format,
    Lease,
    VolumeId,
    VolumeMetadata,
    VolumeType,
    is_uuid,
)
from vdsm.storage.protocols import Domain, Domains
from vdsm.storage.volume import qcow2
from vdsm.storage.volume.qemu_img import Image

META_MODE: Final = 0o644
"""As oVirt's: everybody of the host may read it."""

BROKEN: Final = (
    errors.VolumeMetadataReadError,
    errors.MetadataKeyNotFound,
    errors.MetadataKeyError,
)
"""What is raised for a `.meta` that is there and cannot be used."""


class DomainVolumes:
    """The volumes of one domain, which was found already: an operation of several steps looks for
    it once. The volumes that are asked for are its own. For any thread."""

    def __init__(self, domain: Domain, changing: KeyedLock) -> None:
        self.domain = domain
        self._changing = changing

    @property
    def files(self) -> Files:
        return self.domain.files

    # --- metadata --------------------------------------------------------------------------------

    def metadata(self, volume: VolumeId) -> VolumeMetadata:
        path = layout.volume_meta(volume.image, volume.volume)
        try:
            with reading(str(volume), errors.VolumeMetadataReadError):
                data = self.files.read(path)
        except errors.VolumeMetadataReadError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                raise errors.VolumeDoesNotExist(str(volume)) from None
            raise
        return self.decode(path, data)

    def change_metadata(
        self, volume: VolumeId, change: Callable[[VolumeMetadata], VolumeMetadata]
    ) -> VolumeMetadata:
        with self._changing.holding(volume):
            before = self.metadata(volume)
            after = change(before)
            if after != before:
                self.write_metadata(volume, after)
            return after

    def write_metadata(self, volume: VolumeId, metadata: VolumeMetadata) -> None:
        data = volume_metadata.encode(metadata, self.domain.version)
        with writing(str(volume), errors.VolumeMetadataWriteError):
            path = layout.volume_meta(volume.image, volume.volume)
            self.files.write(path, data, META_MODE)

    def image_metadata(self, image: str) -> dict[str, VolumeMetadata]:
        raw = self.raw_metadata(image, self.names(image))
        return {uuid: self.decode(*found) for uuid, found in raw.items()}

    def raw_metadata(self, image: str, names: Sequence[str] | None) -> dict[str, tuple[str, bytes]]:
        """The `.meta` files in an image's directory as they are: path and contents, by uuid.
        `names` are all that are in it."""
        uuids = [uuid for name in names or () if (uuid := _volume_of(name))]
        paths = [layout.volume_meta(image, uuid) for uuid in uuids]
        if not paths:
            return {}
        with reading(f"image {image}", errors.VolumeMetadataReadError):
            contents = self.files.read_many(paths)
        return {
            uuid: (path, data)
            for uuid, path, data in zip(uuids, paths, contents, strict=True)
            if data is not None  # removed meanwhile
        }

    def decode(self, path: str, data: bytes) -> VolumeMetadata:
        return volume_metadata.decode(data, str(self.domain.path / path))

    # --- what there is ---------------------------------------------------------------------------

    def names(self, image: str) -> list[str] | None:
        """All names in an image's directory; None when there is none. Raises ImagePathError."""
        with reading(f"image {image} in domain {self.domain.uuid}", errors.ImagePathError):
            try:
                return self.files.list(layout.image(image))
            except FileNotFoundError:
                return None

    def described_chain(self, leaf: VolumeId) -> list[tuple[VolumeId, VolumeMetadata]]:
        raw = self.raw_metadata(leaf.image, self.names(leaf.image))
        if leaf.volume not in raw:
            raise errors.VolumeDoesNotExist(str(leaf))
        chain: list[tuple[VolumeId, VolumeMetadata]] = []
        seen: set[str] = set()
        uuid = leaf.volume
        while uuid != BLANK_UUID:
            if uuid in seen:
                raise errors.ImageIsNotLegalChain(f"{leaf} has a loop at volume {uuid}")
            if uuid not in raw:
                raise errors.ImageIsNotLegalChain(f"{leaf} is based on {uuid}, which is not there")
            seen.add(uuid)
            metadata = self.decode(*raw[uuid])
            chain.append((VolumeId(leaf.domain, metadata.image, uuid), metadata))
            uuid = metadata.parent
        for volume, metadata in chain:
            refuse_foreign(leaf, volume, metadata)
        return chain[::-1]

    def children(self, volume: VolumeId) -> list[str]:
        raw = self.raw_metadata(volume.image, self.names(volume.image))
        return self.children_in(raw, volume)

    def children_in(self, raw: Mapping[str, tuple[str, bytes]], volume: VolumeId) -> list[str]:
        """`children`, of what was read already."""
        others = {uuid: found for uuid, found in raw.items() if uuid != volume.volume}
        parents = {uuid: self.decode(*found).parent for uuid, found in others.items()}
        return [uuid for uuid, parent in parents.items() if parent == volume.volume]

    # --- where it is -----------------------------------------------------------------------------

    def path(self, volume: VolumeId) -> Path:
        return self.domain.path / layout.volume(volume.image, volume.volume)

    def image(self, volume: VolumeId, volume_format: Format) -> Image:
        """The file of a volume, for qemu-img, which would follow a symbolic link, or a header
        that leads out of the image: such a volume is refused. Raises VolumeDoesNotExist,
        VolumeAccessError, ImageIsNotLegalChain."""
        path = layout.volume(volume.image, volume.volume)
        size = qcow2.HEADER_SIZE if volume_format is Format.COW else 0
        try:
            with reading(str(volume), errors.VolumeAccessError):
                header = self.files.read_at(path, 0, size, direct=False)
        except errors.InvalidParameter as error:
            raise errors.VolumeAccessError(f"{volume}: {error.reason}") from None
        except errors.VolumeAccessError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                raise errors.VolumeDoesNotExist(f"{volume} has no file") from None
            raise
        if qcow2.leads_out(header):
            raise errors.ImageIsNotLegalChain(f"{volume}: its header names a file of elsewhere")
        return Image(self.path(volume), volume_format)

    def lease(self, volume: VolumeId) -> Lease:
        file = self.domain.path / layout.volume_lease(volume.image, volume.volume)
        return Lease(volume.domain, volume.volume, str(file), 0)


class VolumeStore:
    """The volumes of file domains; each call finds its domain. For any thread. All methods raise
    StorageDomainDoesNotExist."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains
        self._changing = KeyedLock()

    def of(self, volume: VolumeId) -> DomainVolumes:
        """The volumes of its domain. Raises ImagesNotSupported."""
        domain = self._domains.find(volume.domain)
        domain.refuse_unless_data()
        return self._in(domain)

    def domain(self, volume: VolumeId) -> Domain:
        """Its domain. Raises ImagesNotSupported."""
        return self.of(volume).domain

    def metadata(self, volume: VolumeId) -> VolumeMetadata:
        """Read anew. Raises VolumeDoesNotExist, VolumeMetadataReadError, MetadataKeyNotFound,
        MetadataKeyError."""
        return self._at(volume.domain).metadata(volume)

    def change_metadata(
        self, volume: VolumeId, change: Callable[[VolumeMetadata], VolumeMetadata]
    ) -> VolumeMetadata:
        """Reads, changes and writes it as one step of this host; what was written. Raises what
        `metadata` and `write_metadata` raise, and what `change` does, with nothing changed."""
        return self._at(volume.domain).change_metadata(volume, change)

    def write_metadata(self, volume: VolumeId, metadata: VolumeMetadata) -> None:
        """Writes the `.meta`, atomically. Raises VolumeMetadataWriteError, MetadataOverflow,
        MetadataValidationError, NoSpaceLeft, InsufficientPermissions."""
        self._at(volume.domain).write_metadata(volume, metadata)

    def image_metadata(self, domain: str, image: str) -> dict[str, VolumeMetadata]:
        """The metadata of all volumes in an image's directory, by uuid, in two goes; of the
        template as well. Empty for an image that is not there. Raises as `metadata` does for one
        that cannot be read."""
        return self._at(domain).image_metadata(image)

    def uuids(self, domain: str, image: str | None = None) -> list[str]:
        """The volumes in an image's directory, the template's included, or those of a domain.
        Empty for an image that is not there."""
        files = self._domains.find(domain).files
        where = layout.IMAGES if image is None else layout.image(image)
        with reading(f"volumes in {where} of domain {domain}"):
            try:
                names = files.find(layout.META_SUFFIX, where, depth=1 if image else 2)
            except FileNotFoundError:
                return []
        return sorted({uuid for name in names if (uuid := _volume_of(name))})

    def images(self, domain: str) -> list[str]:
        """The images of a domain, without those that are being removed."""
        files = self._domains.find(domain).files
        with reading(f"images of domain {domain}"):
            return [name for name in files.list(layout.IMAGES) if is_uuid(name)]

    def chain(self, leaf: VolumeId) -> list[VolumeId]:
        """From the base to `leaf`; a template's volume at its begin has the template's image.
        Raises VolumeDoesNotExist, ImageIsNotLegalChain, and as `metadata` for a volume of the
        chain that cannot be read."""
        return [volume for volume, _ in self.described_chain(leaf)]

    def described_chain(self, leaf: VolumeId) -> list[tuple[VolumeId, VolumeMetadata]]:
        """`chain`, with the metadata of each."""
        return self._at(leaf.domain).described_chain(leaf)

    def children(self, volume: VolumeId) -> list[str]:
        """The volumes of the image that are based on `volume`. Another one whose metadata cannot be
        read might be: that raises as `metadata` does."""
        return self._at(volume.domain).children(volume)

    def path(self, volume: VolumeId) -> Path:
        """The absolute path of its data."""
        return self._at(volume.domain).path(volume)

    def file(self, volume: VolumeId, volume_format: Format) -> Image:
        """Its data, for qemu-img. Raises VolumeDoesNotExist, VolumeAccessError for what is no
        file, ImageIsNotLegalChain for a header that leads out."""
        return self._at(volume.domain).image(volume, volume_format)

    def lease(self, volume: VolumeId) -> Lease:
        return self._at(volume.domain).lease(volume)

    def _at(self, domain: str) -> DomainVolumes:
        return self._in(self._domains.find(domain))

    def _in(self, domain: Domain) -> DomainVolumes:
        return DomainVolumes(domain, self._changing)


def refuse_foreign(leaf: VolumeId, volume: VolumeId, metadata: VolumeMetadata) -> None:
    """Raises ImageIsNotLegalChain for a volume of another image that is no template."""
    if metadata.image != leaf.image and metadata.volume_type is not VolumeType.SHARED:
        raise errors.ImageIsNotLegalChain(
            f"{leaf} is based on volume {volume.volume}, which belongs to image {metadata.image} "
            "and is no template"
        )


def own(described: Mapping[str, VolumeMetadata], image: str) -> list[str]:
    """Of the volumes in an image's directory, those that are not a template's."""
    return [uuid for uuid, metadata in described.items() if metadata.image == image]


def _volume_of(name: str) -> str | None:
    """The volume whose `.meta` a path is; None for another file."""
    stem = name.rpartition("/")[2].removesuffix(layout.META_SUFFIX)
    image = name.rpartition("/")[0]
    there = name.endswith(layout.META_SUFFIX) and is_uuid(stem) and (not image or is_uuid(image))
    return stem if there else None
