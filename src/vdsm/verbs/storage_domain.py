# SPDX-License-Identifier: GPL-2.0-or-later
"""StorageDomain.*: storage domains on what is connected. extend and resizePV are of block storage,
which this vdsm has not."""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import model
from vdsm.storage.domain import create_params, describe
from vdsm.storage.model import BLANK_UUID

_DOMAIN = "storagedomainID"
_POOL = "storagepoolID"


class StorageDomain:
    """The verbs of StorageDomain. Each raises VdsmError -32602, or InvalidParameter for a UUID that
    is none, and oVirt's errors as the parts of storage tell them."""

    def __init__(self, services: Services) -> None:
        storage = services.storage
        self._domains = storage.domains
        self._lifecycle = storage.lifecycle
        self._dumps = storage.dumps
        self._pools = storage.pools
        self._volumes = storage.volumes

    def table(self) -> dict[str, Handler]:
        return {
            "StorageDomain.create": self.create,
            "StorageDomain.format": self.format,
            "StorageDomain.attach": self.attach,
            "StorageDomain.activate": self.activate,
            "StorageDomain.deactivate": self.deactivate,
            "StorageDomain.detach": self.detach,
            "StorageDomain.getInfo": self.get_info,
            "StorageDomain.getStats": self.get_stats,
            "StorageDomain.getFileStats": self.get_file_stats,
            "StorageDomain.getImages": self.get_images,
            "StorageDomain.getVolumes": self.get_volumes,
            "StorageDomain.setDescription": self.set_description,
            "StorageDomain.validate": self.validate,
            "StorageDomain.dump": self.dump,
        }

    # --- life -------------------------------------------------------------------------------------

    def create(self, _call: Call, params: Params) -> JSON:
        """Makes a domain on connected storage that has none."""
        self._lifecycle.create(create_params.parse(params))
        return None

    def format(self, _call: Call, params: Params) -> JSON:
        """Removes a domain with all that is in it."""
        self._lifecycle.format(_uuid(params, _DOMAIN), auto_detach=params.get("autoDetach") is True)
        return None

    def set_description(self, _call: Call, params: Params) -> JSON:
        """Changes a domain's name, on the SPM."""
        description = create_params.name(params.get("description"), "description")
        self._lifecycle.set_description(_uuid(params, _DOMAIN), description)
        return None

    # --- in the pool ------------------------------------------------------------------------------

    def attach(self, _call: Call, params: Params) -> JSON:
        self._pools.attach(_uuid(params, _POOL), _uuid(params, _DOMAIN))
        return None

    def activate(self, _call: Call, params: Params) -> JSON:
        self._pools.activate(_uuid(params, _POOL), _uuid(params, _DOMAIN))
        return None

    def deactivate(self, _call: Call, params: Params) -> JSON:
        """Takes a domain out of use; the master only with another one that becomes master."""
        version = params.get("masterVersion")
        self._pools.deactivate(
            _uuid(params, _POOL),
            _uuid(params, _DOMAIN),
            _uuid(params, "masterSdUUID"),
            version if isinstance(version, int) else 0,
        )
        return None

    def detach(self, _call: Call, params: Params) -> JSON:
        """Takes a domain out of the pool; by force also one that cannot be reached."""
        force = params.get("force") is True
        if params.get("masterSdUUID") is not None:
            _uuid(params, "masterSdUUID")  # which one is master this host knows better
        self._pools.detach(_uuid(params, _POOL), _uuid(params, _DOMAIN), force=force)
        return None

    # --- what there is ----------------------------------------------------------------------------

    def get_info(self, _call: Call, params: Params) -> JSON:
        """StorageDomainInfo."""
        return describe.info(self._domains.find(_uuid(params, _DOMAIN)))

    def get_stats(self, _call: Call, params: Params) -> JSON:
        """StorageDomainStats: the space, in strings of bytes."""
        return describe.stats(self._domains.find(_uuid(params, _DOMAIN)))

    def get_file_stats(self, _call: Call, params: Params) -> JSON:
        """StorageDomainFileStatsMap of an ISO domain."""
        pattern = params.get("pattern")
        return describe.file_stats(
            self._domains.find(_uuid(params, _DOMAIN)),
            pattern if isinstance(pattern, str) else "*",
            case_sensitive=params.get("caseSensitive") is True,
        )

    def get_images(self, _call: Call, params: Params) -> JSON:
        """The images' UUIDs."""
        return list(self._volumes.images(_uuid(params, _DOMAIN)))

    def get_volumes(self, _call: Call, params: Params) -> JSON:
        """The volumes' UUIDs, of an image or, with the blank UUID for that, of the domain."""
        _uuid(params, _POOL)
        image = model.uuid(params.get("imageID", BLANK_UUID), "imageID")
        return list(
            self._volumes.uuids(_uuid(params, _DOMAIN), None if image == BLANK_UUID else image)
        )

    def validate(self, _call: Call, params: Params) -> JSON:
        """Reads the metadata anew."""
        self._domains.find(_uuid(params, _DOMAIN)).metadata()
        return None

    def dump(self, _call: Call, params: Params) -> JSON:
        """StorageDomainDump; with `full` also the leases."""
        domain = self._domains.find(_uuid(params, "sd_id"))
        return self._dumps.dump(domain, full=params.get("full") is True)


def _uuid(params: Params, name: str) -> str:
    return model.uuid(params.get(name), name)
