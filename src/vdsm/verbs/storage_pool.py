# SPDX-License-Identifier: GPL-2.0-or-later
"""StoragePool.*: connections to storage servers, and the pool that this host is connected to."""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import connection_params, domain_types, errors, model
from vdsm.storage.connection_params import FIELD, Reference
from vdsm.storage.connections import Connections
from vdsm.storage.domain_types import DomainType
from vdsm.storage.model import MAX_HOSTS
from vdsm.storage.pool import checks, vms
from vdsm.storage.pool.spm import StartRequest

_MOUNTED = frozenset({DomainType.NFS, DomainType.LOCALFS, DomainType.SHAREDFS})
_INT64 = (1 << 63) - 1


class StoragePool:
    """The verbs of StoragePool, and Host's that lists the pools."""

    def __init__(self, services: Services) -> None:
        self._connections = Connections(
            services.supervdsm.storage,
            services.tree,
            nfs_options=services.config.nfs_mount_options,
            unmounting=services.storage.filesystems.drop,
        )
        self._pools = services.storage.pools

    def table(self) -> dict[str, Handler]:
        return {
            "StoragePool.connectStorageServer": self.connect_storage_server,
            "StoragePool.disconnectStorageServer": self.disconnect_storage_server,
            "StoragePool.create": self.create,
            "StoragePool.connect": self.connect,
            "StoragePool.disconnect": self.disconnect,
            "StoragePool.destroy": self.destroy,
            "StoragePool.refresh": self.refresh,
            "StoragePool.reconstructMaster": self.reconstruct_master,
            "StoragePool.getInfo": self.get_info,
            "StoragePool.getSpmStatus": self.get_spm_status,
            "StoragePool.spmStart": self.spm_start,
            "StoragePool.spmStop": self.spm_stop,
            "StoragePool.switchMaster": self.switch_master,
            "StoragePool.upgrade": self.upgrade,
            "StoragePool.setDescription": self.set_description,
            "StoragePool.getDomainsContainingImage": self.get_domains_containing_image,
            "StoragePool.updateVMs": self.update_vms,
            "StoragePool.removeVM": self.remove_vm,
            "StoragePool.getBackedUpVmsList": self.get_backed_up_vms_list,
            "StoragePool.getBackedUpVmsInfo": self.get_backed_up_vms_info,
        }

    def local_table(self) -> dict[str, Handler]:
        """What waits for no storage."""
        return {"Host.getConnectedStoragePools": self.get_connected_storage_pools}

    # --- storage servers --------------------------------------------------------------------------

    def connect_storage_server(self, _call: Call, params: Params) -> JSON:
        """Mounts each connection; [{id, status}], where a failed one does not touch the others."""
        kind, references = _request(params)
        return _statuses(references, self._connections.connect(kind, references))

    def disconnect_storage_server(self, _call: Call, params: Params) -> JSON:
        """Unmounts each connection; [{id, status}]. One that is not there has status 0."""
        _, references = _request(params)
        return _statuses(references, self._connections.disconnect(references))

    # --- the pool ---------------------------------------------------------------------------------

    def create(self, _call: Call, params: Params) -> JSON:
        self._pools.create(
            _new_pool(params),
            name=checks.name(params["name"], "name"),
            master=_uuid(params, "masterSdUUID"),
            version=checks.master_version(params["masterVersion"]),
            members=checks.domain_list(params["domainList"]),
            lease=checks.lease_parameters(params),
        )
        return None

    def connect(self, _call: Call, params: Params) -> JSON:
        domains = params.get("domainDict")
        self._pools.connect(
            _new_pool(params),
            host_id=checks.host_id(params["hostID"]),
            master=_uuid(params, "masterSdUUID"),
            version=checks.master_version(params["masterVersion"]),
            domains=None if domains is None else checks.domain_map(domains),
        )
        return None

    def disconnect(self, _call: Call, params: Params) -> JSON:
        self._pools.disconnect(_pool(params))
        return None

    def destroy(self, _call: Call, params: Params) -> JSON:
        self._pools.destroy(_pool(params), checks.host_id(params["hostID"]))
        return None

    def refresh(self, _call: Call, params: Params) -> JSON:
        self._pools.refresh(
            _pool(params),
            _uuid(params, "masterSdUUID"),
            checks.master_version(params["masterVersion"]),
        )
        return None

    def reconstruct_master(self, _call: Call, params: Params) -> JSON:
        self._pools.reconstruct_master(
            _new_pool(params),
            host_id=checks.host_id(params["hostId"], "hostId"),
            name=checks.name(params["name"], "name"),
            master=_uuid(params, "masterSdUUID"),
            version=checks.master_version(params["masterVersion"]),
            domains=checks.domain_map(params["domainDict"]),
            lease=checks.lease_parameters(params),
        )
        return None

    def get_info(self, _call: Call, params: Params) -> JSON:
        return self._pools.info(_pool(params))

    def set_description(self, _call: Call, params: Params) -> JSON:
        self._pools.set_description(
            _pool(params), checks.name(params["description"], "description")
        )
        return None

    def get_domains_containing_image(self, _call: Call, params: Params) -> JSON:
        found = self._pools.domains_with_image(_pool(params), _uuid(params, "imageID"))
        return list(found)

    def get_connected_storage_pools(self, _call: Call, _params: Params) -> JSON:
        connected = self._pools.connected()
        return [] if connected is None else [connected]

    # --- the SPM ----------------------------------------------------------------------------------

    def get_spm_status(self, _call: Call, params: Params) -> JSON:
        return self._pools.spm_info(_pool(params))

    def spm_start(self, _call: Call, params: Params) -> JSON:
        """The id of the task at whose end this host is the SPM."""
        version = params.get("domVersion")
        previous = (
            checks.integer(params["prevID"], "prevID", -1, MAX_HOSTS),
            checks.integer(params["prevLver"], "prevLver", -1, _INT64),
        )
        request = StartRequest(
            previous=previous,
            max_host_id=checks.host_id(params.get("maxHostID", MAX_HOSTS), "maxHostID"),
            version=None if version is None else checks.version(version, "domVersion"),
        )
        return self._pools.spm_start(_pool(params), request)

    def spm_stop(self, _call: Call, params: Params) -> JSON:
        self._pools.spm_stop(_pool(params))
        return None

    def switch_master(self, _call: Call, params: Params) -> JSON:
        """The id of the task that moves the role."""
        return self._pools.switch_master(
            _pool(params),
            _uuid(params, "oldMasterUUID"),
            _uuid(params, "newMasterUUID"),
            checks.master_version(params["masterVersion"]),
        )

    def upgrade(self, _call: Call, params: Params) -> JSON:
        version = checks.version(params["targetDomVersion"], "targetDomVersion")
        self._pools.upgrade(_pool(params), version)
        return "started"

    # --- machines ---------------------------------------------------------------------------------

    def update_vms(self, _call: Call, params: Params) -> JSON:
        machines = vms.machines(params["vmList"])
        self._pools.update_vms(_pool(params), machines, _domain(params))
        return None

    def remove_vm(self, _call: Call, params: Params) -> JSON:
        self._pools.remove_vm(_pool(params), _uuid(params, "vmUUID"), _domain(params))
        return None

    def get_backed_up_vms_list(self, _call: Call, params: Params) -> JSON:
        return list(self._pools.vms(_pool(params), _domain(params)))

    def get_backed_up_vms_info(self, _call: Call, params: Params) -> JSON:
        machines = params["vmList"]
        if not isinstance(machines, list):
            raise errors.InvalidParameter("vmList", "it is not a list")
        wanted = [model.uuid(one, "vmList") for one in machines]
        return dict(self._pools.ovfs(_pool(params), _domain(params), wanted))


def _uuid(params: Params, name: str) -> str:
    return model.uuid(params[name], name)


def _pool(params: Params) -> str:
    return _uuid(params, "storagepoolID")


def _new_pool(params: Params) -> str:
    """A pool that can be; the blank UUID means that there is none."""
    pool = _pool(params)
    if pool == model.BLANK_UUID:
        raise errors.InvalidParameter("storagepoolID", "it is blank")
    return pool


def _domain(params: Params) -> str | None:
    return None if params.get("storagedomainID") is None else _uuid(params, "storagedomainID")


def _request(params: Params) -> tuple[DomainType, list[Reference]]:
    """The type and the connections of a call. Raises VdsmError: -32602, or 44 for a type that this
    vdsm does not know how to connect; InvalidParameter for a pool that is no UUID."""
    if params["storagepoolID"] != "":  # the pool does not matter here, and some send none
        _pool(params)
    kind = domain_types.parse(params.get("domainType"), "domainType")
    if kind is DomainType.UNKNOWN:
        raise VdsmError(Code.INVALID_PARAMS, "domainType: UNKNOWN cannot be connected")
    if kind not in _MOUNTED:
        raise VdsmError(
            Code.METHOD_NOT_IMPLEMENTED, f"This vdsm does not connect {kind.name} storage"
        )
    return kind, connection_params.references(params.get(FIELD))


def _statuses(references: list[Reference], statuses: list[int]) -> JSON:
    return [
        {"id": reference.id, "status": status}
        for reference, status in zip(references, statuses, strict=True)
    ]
