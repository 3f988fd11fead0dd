# SPDX-License-Identifier: GPL-2.0-or-later
"""Image.*: disk images. What takes long is a task of the pool's SPM, and the task's id the result.

Image.upload and Image.download are not there: they need a network, which vdsm's container has not.
"""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import errors, model
from vdsm.storage.image.copying import Operation, Place, Sync
from vdsm.storage.model import BLANK_UUID, VolumeId
from vdsm.storage.volume.params import refuse_discard

_OPERATIONS = {
    "1": Operation.COPY,
    "2": Operation.MOVE,
    "COPY": Operation.COPY,
    "MOVE": Operation.MOVE,
}


class Image:
    """The verbs of Image. All raise InvalidParameter (1000) and StorageDomainDoesNotExist (358);
    those that change something StoragePoolUnknown (309), SpmStatusError (654) and
    StorageDomainNotMemberOfPool (375). `postZero` is for block storage: here the file system never
    shows old data."""

    def __init__(self, services: Services) -> None:
        self._images = services.storage.images
        self._pools = services.storage.pools
        self._tasks = services.storage.tasks

    def table(self) -> dict[str, Handler]:
        return {
            "Image.cloneStructure": self.clone_structure,
            "Image.delete": self.delete,
            "Image.deleteVolumes": self.delete_volumes,
            "Image.getVolumes": self.get_volumes,
            "Image.move": self.move,
            "Image.prepare": self.prepare,
            "Image.reconcileVolumeChain": self.reconcile_volume_chain,
            "Image.syncData": self.sync_data,
            "Image.teardown": self.teardown,
        }

    # --- at once ----------------------------------------------------------------------------------

    def prepare(self, _call: Call, params: Params) -> JSON:
        """oVirt's PreparedImageInfo. Codes: 309 the pool is not connected, 201, 227 a volume of the
        chain is illegal, 262 the chain is broken, 209 a volume is no file, 254."""
        pool = model.uuid(params["storagepoolID"], "storagepoolID")
        domain, image = _image(params)
        leaf = VolumeId(domain, image, model.uuid(params["volumeID"], "volumeID"))
        if pool != BLANK_UUID:
            self._pools.require(pool)
        return self._images.prepare(pool, leaf, allow_illegal=params.get("allowIllegal") is True)

    def teardown(self, _call: Call, params: Params) -> JSON:
        """An image that is not prepared is no error, and the storage may be dead."""
        if params.get("volumeID") is not None:
            model.uuid(params["volumeID"], "volumeID")
        self._images.teardown(*_image(params))
        return None

    def get_volumes(self, _call: Call, params: Params) -> JSON:
        """The volumes of an image, of all for the blank id."""
        volumes: JSON = list(self._images.volumes(*_image(params)))
        return volumes

    def reconcile_volume_chain(self, _call: Call, params: Params) -> JSON:
        """The volumes that are in the chain, from its base. On the SPM. Codes: 201, 262."""
        _, domain, image = self._on_spm(params)
        leaf = VolumeId(domain, image, model.uuid(params["leafVolID"], "leafVolID"))
        volumes: JSON = list(self._images.reconcile(leaf))
        return volumes

    # --- tasks ------------------------------------------------------------------------------------

    def delete(self, _call: Call, params: Params) -> JSON:
        """Codes: 268 there is no such image, 223 it is a template that others use, 256."""
        pool, domain, image = self._on_spm(params)
        refuse_discard(params)
        job = self._images.delete(domain, image)
        return self._tasks.start("deleteImage", job, pool=pool)

    def delete_volumes(self, _call: Call, params: Params) -> JSON:
        """Codes of the task: 201, 204 others are based on it, 223."""
        pool, domain, image = self._on_spm(params)
        refuse_discard(params)
        names = params["volumeList"]
        if not isinstance(names, list) or not names:
            raise errors.InvalidParameter("volumeList", "expected an array of volumes")
        volumes = [model.uuid(name, "volumeList") for name in names]
        force = params.get("force") is True
        job = self._images.delete_volumes(domain, image, volumes, force=force)
        return self._tasks.start("deleteVolume", job, pool=pool)

    def move(self, _call: Call, params: Params) -> JSON:
        """Codes: 268 the image, or its template on the target, is not there, 266 it is a template
        that others use; of the task: 265 the target exists, 227, 262, 397 no space, 261."""
        pool, place = self._on_both(params)
        refuse_discard(params)
        operation = _OPERATIONS.get(str(params["operation"]))
        if operation is None:
            raise errors.InvalidParameter("operation", "expected 1 (copy) or 2 (move)")
        job = self._images.move(place, operation, force=params.get("force") is True)
        return self._tasks.start("moveImage", job, pool=pool)

    def clone_structure(self, _call: Call, params: Params) -> JSON:
        """Codes: as of move."""
        pool, place = self._on_both(params)
        job = self._images.clone_structure(place)
        return self._tasks.start("cloneImageStructure", job, pool=pool)

    def sync_data(self, _call: Call, params: Params) -> JSON:
        """Codes: as of move; 260 the target has other volumes."""
        pool, place = self._on_both(params)
        try:
            which = Sync(str(params["syncType"]))
        except ValueError:
            raise errors.InvalidParameter("syncType", "expected ALL, INTERNAL or LEAF") from None
        return self._tasks.start("syncImageData", self._images.sync_data(place, which), pool=pool)

    # ----------------------------------------------------------------------------------------------

    def _on_spm(self, params: Params) -> tuple[str, str, str]:
        """The pool, the domain and the image; this host must be SPM of the first."""
        pool = model.uuid(params["storagepoolID"], "storagepoolID")
        domain, image = _image(params)
        self._pools.require_spm(pool)
        self._pools.require_member(pool, domain)
        return pool, domain, image

    def _on_both(self, params: Params) -> tuple[str, Place]:
        pool, domain, image = self._on_spm(params)
        target = model.uuid(params["dstSdUUID"], "dstSdUUID")
        self._pools.require_member(pool, target)
        return pool, Place(image=image, source=domain, target=target)


def _image(params: Params) -> tuple[str, str]:
    """Also refuses a pool that is no UUID, where the image is found without it."""
    model.uuid(params["storagepoolID"], "storagepoolID")
    return (
        model.uuid(params["storagedomainID"], "storagedomainID"),
        model.uuid(params["imageID"], "imageID"),
    )
