# SPDX-License-Identifier: GPL-2.0-or-later
"""Removing an image: its directory is renamed first, and from then on there is no such image.

A directory with the prefix `_remove_me_` holds nothing that anybody needs: whoever finds one, after
a crash of this host or of another, removes what is left of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.files import Files
from vdsm.storage.model import VolumeId, VolumeType, is_uuid
from vdsm.storage.protocols import Domains, Volumes

log = logging.getLogger(__name__)

FINISH: Final = "image.delete.finish"
"""The recovery of a task that removes images: (domain, image). It goes on, it puts nothing back."""


class ImageRemoval:
    """Removes images of file domains. Who calls holds the image."""

    def __init__(self, domains: Domains, volumes: Volumes) -> None:
        self._domains = domains
        self._volumes = volumes

    def refuse_if_used(self, domain: str, image: str) -> None:
        """Raises ImageDoesNotExist, and CannotDeleteSharedVolume for a template in use."""
        names = self._volumes.uuids(domain, image)
        if not names:
            raise errors.ImageDoesNotExist(f"image {image}, domain {domain}")
        templates = [name for name in names if self._is_template(domain, image, name)]
        for template in templates:
            users = users_of(self._domains.find(domain).files, image, template)
            if users:
                raise errors.CannotDeleteSharedVolume(
                    f"volume {template} of image {image} is the base of image {users[0]}"
                )

    def _is_template(self, domain: str, image: str, volume: str) -> bool:
        try:
            metadata = self._volumes.metadata(VolumeId(domain, image, volume))
        except errors.StorageError as error:
            # It may be what a crash left half deleted, and can be deleted unless others use it.
            log.warning("Metadata of volume %s of image %s: %s", volume, image, error)
            return True
        return metadata.volume_type is VolumeType.SHARED and metadata.image == image

    def hide(self, domain: str, image: str) -> None:
        """Renames the image's directory. Raises ImageDoesNotExist, ImageDeleteError."""
        files = self._domains.find(domain).files
        self.finish(domain, image)  # of an older image that had this id
        try:
            files.rename(layout.image(image), removed_image(image))
        except FileNotFoundError:
            raise errors.ImageDoesNotExist(f"image {image}, domain {domain}") from None
        except OSError as error:
            raise errors.ImageDeleteError(f"image {image}, domain {domain}: {error}") from error

    def finish(self, domain: str, image: str) -> None:
        """Removes what is left of an image that was hidden; nothing left: no error."""
        try:
            self._domains.find(domain).files.remove_tree(removed_image(image))
        except OSError as error:
            raise errors.ImageDeleteError(f"image {image}, domain {domain}: {error}") from error


def removed_image(image: str) -> str:
    """The directory that an image has while it is being removed."""
    return f"{layout.IMAGES}/{layout.REMOVED_IMAGE_PREFIX}{image}"


def hidden(files: Files) -> list[str]:
    """The images that are being removed, or that a crash left so."""
    prefix = layout.REMOVED_IMAGE_PREFIX
    names = [name for name in files.list(layout.IMAGES) if name.startswith(prefix)]
    return [image for name in names if is_uuid(image := name.removeprefix(prefix))]


def users_of(files: Files, image: str, volume: str) -> Sequence[str]:
    """The images that have a volume of another image, a template's, as their base."""
    found = [name.split("/") for name in files.find(volume, layout.IMAGES, depth=2)]
    users = {place[0] for place in found if place[1:] == [volume]}
    return sorted(user for user in users if user != image and is_uuid(user))
