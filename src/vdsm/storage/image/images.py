# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of file domains: prepared, torn down, listed and deleted.

Copies of images are in `vdsm.storage.image.copying`, chains that are repaired in `reconcile`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.image import preparing
from vdsm.storage.image.capacity import CapacityRepair
from vdsm.storage.image.prepared import PreparedLinks
from vdsm.storage.image.removal import FINISH, ImageRemoval
from vdsm.storage.model import BLANK_UUID, VolumeId
from vdsm.storage.protocols import (
    Domains,
    Job,
    Recovery,
    Resource,
    Resources,
    Task,
    Tasks,
    Volumes,
)
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm_contract.paths import DATA_CENTER

log = logging.getLogger(__name__)


class Images:
    """The images of this host's domains. For any thread."""

    def __init__(
        self,
        domains: Domains,
        volumes: Volumes,
        resources: Resources,
        qemu_img: QemuImg,
        links: PreparedLinks | None = None,
        data_center: Path = DATA_CENTER,
    ) -> None:
        self._domains = domains
        self._volumes = volumes
        self._resources = resources
        self._links = links or PreparedLinks()
        self._data_center = data_center
        self._capacity = CapacityRepair(volumes, qemu_img)
        self._removal = ImageRemoval(domains, volumes)

    def register(self, tasks: Tasks) -> None:
        """Makes the recoveries of the tasks of images known."""
        tasks.register(FINISH, self._finish)

    # --- prepare and teardown ---------------------------------------------------------------------

    def prepare(self, pool: str, leaf: VolumeId, *, allow_illegal: bool = False) -> JSON:
        """PreparedImageInfo. `path` is below the links of the pool, or below /run/vdsm/storage for
        BLANK_UUID. Done before: no error, and the same answer.

        Raises StorageDomainDoesNotExist, ImagesNotSupported, VolumeDoesNotExist,
        ImageIsNotLegalChain, PrepareIllegalVolume, VolumeAccessError, ImagePathError.
        """
        domain = self._domains.find(leaf.domain)
        domain.refuse_unless_data()
        with self._resources.holding(Resource.domain(leaf.domain, exclusive=False)):
            chain = preparing.chain_of(self._volumes, leaf)
            if not allow_illegal:
                preparing.refuse_illegal(chain)
            preparing.open_to_group(domain, chain)
            self._capacity.repair(domain, chain)
            directory = preparing.make_link(self._links, domain, leaf.image)
            if pool != BLANK_UUID:
                link = layout.domain_link(pool, leaf.domain, self._data_center)
                directory = link / layout.image(leaf.image)
            return preparing.prepared_info(self._volumes, domain, chain, directory)

    def teardown(self, domain: str, image: str) -> None:
        """Removes the link; the storage is not touched, and may be dead. An image that is not
        prepared is no error. Raises StorageDomainDoesNotExist, ImagePathError."""
        try:
            removed = self._links.remove(domain, image)
        except OSError as error:
            raise errors.ImagePathError(f"image {image}, domain {domain}: {error}") from error
        if not removed:
            self._domains.find(domain)

    # --- lists ------------------------------------------------------------------------------------

    def volumes(self, domain: str, image: str) -> list[str]:
        """The volumes of an image, those of its template included; of all images for BLANK_UUID.
        None for an image that does not exist, as oVirt answers. Raises StorageDomainDoesNotExist,
        ImagesNotSupported."""
        self._domains.find(domain).refuse_unless_data()
        with self._resources.holding(Resource.domain(domain, exclusive=False)):
            if image == BLANK_UUID:
                return self._volumes.uuids(domain)
            if image not in self._volumes.images(domain):
                return []
            return self._volumes.uuids(domain, image)

    # --- deletion ---------------------------------------------------------------------------------

    def delete(self, domain: str, image: str) -> Job:
        """The job that deletes an image. Raises at once, before there is a job:
        StorageDomainDoesNotExist, ImageDoesNotExist, CannotDeleteSharedVolume."""
        self._removal.refuse_if_used(domain, image)

        def job(task: Task) -> JSON:
            with self._resources.holding(
                Resource.domain(domain, exclusive=False), Resource.image(domain, image)
            ):
                self._removal.refuse_if_used(domain, image)
                task.undo_with(Recovery(FINISH, (domain, image)))
                self._removal.hide(domain, image)
                self._removal.finish(domain, image)
                task.commit()
            return None

        return job

    def finish_removals(self, domain: str) -> list[str]:
        """Removes what is left of images whose deletion a crash ended; their ids. For the SPM."""
        with self._resources.holding(Resource.domain(domain, exclusive=False)):
            return self._removal.finish_all(self._domains.find(domain))

    def _finish(self, params: Sequence[str]) -> None:
        domain, image = params
        with self._resources.holding(
            Resource.domain(domain, exclusive=False), Resource.image(domain, image)
        ):
            self._removal.finish(domain, image)
