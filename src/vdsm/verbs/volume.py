# SPDX-License-Identifier: GPL-2.0-or-later
"""Volume.*: volumes of images. What makes, deletes, copies or extends one is a task of the pool's
SPM, and the task's id the result; the rest is done at once.
"""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import errors
from vdsm.storage.model import VolumeId
from vdsm.storage.volume import params as read
from vdsm.storage.volume.creation import refuse_impossible


class Volume:
    """The verbs of Volume. All raise InvalidParameter (1000), StorageDomainDoesNotExist (358) and
    VolumeDoesNotExist (201); those that change something StoragePoolUnknown (309) and
    SpmStatusError (654)."""

    def __init__(self, services: Services) -> None:
        self._volumes = services.storage.volumes
        self._pools = services.storage.pools
        self._tasks = services.storage.tasks

    def table(self) -> dict[str, Handler]:
        return {
            "Volume.copy": self.copy,
            "Volume.create": self.create,
            "Volume.delete": self.delete,
            "Volume.extendSize": self.extend_size,
            "Volume.getInfo": self.get_info,
            "Volume.getQemuImageInfo": self.get_qemu_image_info,
            "Volume.getSize": self.get_size,
            "Volume.measure": self.measure,
            "Volume.refresh": self.refresh,
            "Volume.setDescription": self.set_description,
            "Volume.setLegality": self.set_legality,
            "Volume.teardown": self.refresh,
            "Volume.verify_untrusted": self.verify_untrusted,
        }

    # --- tasks -----------------------------------------------------------------------------------

    def create(self, _call: Call, params: Params) -> JSON:
        """The id of a task whose result is {"uuid"}. Its codes: 212 it exists, 226 the parent is
        illegal, 214 it is of another image and no template, 397 no space, 205."""
        pool, volume = self._on_spm(params)
        new = read.new_volume(params)
        refuse_impossible(new)
        return self._tasks.start(
            "createVolume", lambda task: self._volumes.create(task, volume, new), pool=pool
        )

    def delete(self, _call: Call, params: Params) -> JSON:
        """The id of a task. Its codes: 204 others are based on it, 223 it is shared. `postZero` is
        for block storage: here the file system never shows old data."""
        pool, volume = self._on_spm(params)
        read.refuse_discard(params)
        force = params.get("force") is True
        return self._tasks.start(
            "deleteVolume", lambda task: self._volumes.delete(task, volume, force=force), pool=pool
        )

    def copy(self, _call: Call, params: Params) -> JSON:
        """The id of a task whose result is {"uuid"}. Its codes: 227 a volume of the chain is
        illegal, 262 the chain is broken, 212 or 265 the target exists, 397 no space, 261."""
        pool, source = self._on_spm(params)
        target, wanted = read.copy_target(params), read.copy(params)
        read.refuse_discard(params)
        if (source.domain, source.image) == (target.domain, target.image):
            raise errors.InvalidParameter("dstImgUUID", "it is the image of the source")
        self._pools.require_member(pool, target.domain)
        self._volumes.domain(target)
        return self._tasks.start(
            "copyImage", lambda task: self._volumes.copy(task, source, target, wanted), pool=pool
        )

    def extend_size(self, _call: Call, params: Params) -> JSON:
        """The id of a task. Its codes: 213 it is not to be written, 232 it is larger already, 397
        no space, 206."""
        pool, volume = self._on_spm(params)
        size = read.size(params, "newSize")
        return self._tasks.start(
            "extendVolumeSize", lambda task: self._volumes.extend(task, volume, size), pool=pool
        )

    # --- at once ---------------------------------------------------------------------------------

    def set_description(self, _call: Call, params: Params) -> JSON:
        """On the SPM. What is longer than 210 characters is cut; 756 when it is too long still."""
        _, volume = self._on_spm(params)
        self._volumes.set_description(volume, read.description(params))
        return None

    def set_legality(self, _call: Call, params: Params) -> JSON:
        """On the SPM."""
        _, volume = self._on_spm(params)
        self._volumes.set_legality(volume, read.legality(params))
        return None

    def get_info(self, _call: Call, params: Params) -> JSON:
        """oVirt's VolumeInfoResponse."""
        return self._volumes.info(read.volume_id(params))

    def get_size(self, _call: Call, params: Params) -> JSON:
        """oVirt's VolumeSizeInfo."""
        size, allocated = self._volumes.sizes(read.volume_id(params))
        return {"apparentsize": str(size), "truesize": str(allocated)}

    def get_qemu_image_info(self, _call: Call, params: Params) -> JSON:
        """oVirt's QemuImageInfo. Code 250 when qemu-img cannot read it."""
        return self._volumes.qemu_info(read.volume_id(params))

    def measure(self, _call: Call, params: Params) -> JSON:
        """oVirt's VolumeMeasureResult. Code 262 when the chain is broken."""
        return self._volumes.measure(
            read.volume_id(params),
            read.volume_format(params, "dstVolFormat"),
            chain=params.get("backing_chain", True) is not False,
            base=read.base(params),
        )

    def verify_untrusted(self, _call: Call, params: Params) -> JSON:
        """Code 484 for an image that is not what its volume says, or that names other files."""
        self._volumes.verify_untrusted(read.volume_id(params))
        return None

    def refresh(self, _call: Call, params: Params) -> JSON:
        """Nothing is to be done for a file; it must be there."""
        self._volumes.metadata(read.volume_id(params))
        return None

    def _on_spm(self, params: Params) -> tuple[str, VolumeId]:
        """The pool that this host is SPM of, and a volume on a domain of it that has volumes."""
        pool, volume = read.pool(params), read.volume_id(params)
        self._pools.require_spm(pool)
        self._pools.require_member(pool, volume.domain)
        self._volumes.domain(volume)
        return pool, volume
