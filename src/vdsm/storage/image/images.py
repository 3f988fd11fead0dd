# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of file domains: prepared, torn down, listed, deleted, copied and repaired.

What takes long is a job of a task: the methods that return one check what can be checked at once,
and the job does it under locks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.image import preparing
from vdsm.storage.image.capacity import CapacityRepair
from vdsm.storage.image.chains import Chains
from vdsm.storage.image.copying import UNDO, ImageCopying, Operation, Place, Sync
from vdsm.storage.image.data import VolumeData
from vdsm.storage.image.prepared import PreparedLinks
from vdsm.storage.image.removal import FINISH, ImageRemoval, hidden
from vdsm.storage.model import BLANK_UUID, MAX_DOMAINS_IN_POOL, VolumeId
from vdsm.storage.protocols import (
    Domains,
    Job,
    Recovery,
    Resource,
    Resources,
    Task,
    Tasks,
)
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.volumes import FileVolumes
from vdsm.storage.workers import Workers
from vdsm_contract.paths import DATA_CENTER

log = logging.getLogger(__name__)


class Images:
    """The images of this host's domains. For any thread."""

    def __init__(
        self,
        domains: Domains,
        volumes: FileVolumes,
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
        self._sweeper = Workers("image-removals", 1, MAX_DOMAINS_IN_POOL)
        self._removal = ImageRemoval(domains, volumes)
        data = VolumeData(domains, volumes, qemu_img)
        self._copying = ImageCopying(domains, volumes, data, self._removal)
        self._chains = Chains(volumes, data, qemu_img)

    def register(self, tasks: Tasks) -> None:
        """Makes the recoveries of the tasks of images known."""
        tasks.register(FINISH, self._finish)
        tasks.register(UNDO, self._undo_copy)

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
            preparing.refuse_leading_out(self._volumes, chain)
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

    def delete_volumes(self, domain: str, image: str, names: Sequence[str], *, force: bool) -> Job:
        """The job that deletes volumes, in the order that they are named. Raises at once
        StorageDomainDoesNotExist; the task fails as FileVolumes.delete does."""
        self._domains.find(domain).refuse_unless_data()

        def job(task: Task) -> JSON:
            for name in names:
                self._volumes.delete(task, VolumeId(domain, image, name), force=force)
            return None

        return job

    def finish_removals(self, domain: str) -> list[str]:
        """Removes what is left of images whose deletion a crash ended; their ids."""
        images = hidden(self._domains.find(domain).files)
        for image in images:
            log.info("Removing what is left of image %s in domain %s", image, domain)
            self._finish((domain, image))
        return images

    def sweep(self, domains: Iterable[str]) -> None:
        """Begins to finish the removals on these domains, in the background: for a new SPM. Those
        that fail are left to the next one."""
        for domain in domains:
            self._sweeper.submit(partial(self._sweep, domain))

    def _sweep(self, domain: str) -> None:
        try:
            self.finish_removals(domain)
        except (errors.StorageError, OSError) as error:
            log.warning("Images that were deleted are left in domain %s: %s", domain, error)

    # --- copies -----------------------------------------------------------------------------------

    def move(self, place: Place, operation: Operation, *, force: bool) -> Job:
        """The job that copies an image to another domain, and that deletes it from the source
        after, when it is moved. Raises at once as ImageCopying.refuse_impossible does."""
        self._copying.refuse_impossible(place)
        moved = operation is Operation.MOVE

        def job(task: Task) -> JSON:
            with self._resources.holding(*self._copying.held(place, alone=moved)):
                self._copying.refuse_impossible(place)
                self._copying.make_structure(task, place, force=force)
                self._copying.fill(task, place, Sync.ALL)
                task.commit()
                if moved:
                    task.undo_with(Recovery(FINISH, (place.source, place.image)))
                    self._removal.hide(place.source, place.image)
                    self._removal.finish(place.source, place.image)
                    task.commit()
            return None

        return job

    def clone_structure(self, place: Place) -> Job:
        """The job that makes the volumes of an image on another domain, empty. It can be reverted:
        that removes them."""
        self._copying.refuse_impossible(place)

        def job(task: Task) -> JSON:
            with self._resources.holding(*self._copying.held(place, alone=False)):
                self._copying.refuse_impossible(place)
                self._copying.make_structure(task, place, force=False)
            return None

        return job

    def sync_data(self, place: Place, which: Sync) -> Job:
        """The job that fills what clone_structure made."""
        self._copying.refuse_impossible(place)

        def job(task: Task) -> JSON:
            with self._resources.holding(*self._copying.held(place, alone=False)):
                self._copying.fill(task, place, which)
            return None

        return job

    def reconcile(self, leaf: VolumeId) -> list[str]:
        """Lets the metadata of a chain follow the headers of its volumes, after a merge that was
        interrupted; the volumes that are left in it, from the base. No machine may use it."""
        self._domains.find(leaf.domain).refuse_unless_data()
        with self._resources.holding(
            Resource.domain(leaf.domain, exclusive=False), Resource.image(leaf.domain, leaf.image)
        ):
            return self._chains.reconcile(leaf)

    # --- recoveries -------------------------------------------------------------------------------

    def _undo_copy(self, params: Sequence[str]) -> None:
        domain, image = params
        with self._resources.holding(
            Resource.domain(domain, exclusive=False), Resource.image(domain, image)
        ):
            self._copying.undo(domain, image)

    def _finish(self, params: Sequence[str]) -> None:
        domain, image = params
        with self._resources.holding(
            Resource.domain(domain, exclusive=False), Resource.image(domain, image)
        ):
            self._removal.finish(domain, image)
