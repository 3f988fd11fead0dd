# SPDX-License-Identifier: GPL-2.0-or-later
"""StoragePool.*: so far the connections to storage servers."""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import connection_params, domain_types
from vdsm.storage.connection_params import FIELD, Reference
from vdsm.storage.connections import Connections
from vdsm.storage.domain_types import DomainType

_MOUNTED = frozenset({DomainType.NFS, DomainType.LOCALFS, DomainType.SHAREDFS})


class StoragePool:
    """The verbs of StoragePool."""

    def __init__(self, services: Services) -> None:
        self._connections = Connections(
            services.supervdsm.storage,
            services.tree,
            nfs_options=services.config.nfs_mount_options,
        )

    def table(self) -> dict[str, Handler]:
        return {
            "StoragePool.connectStorageServer": self.connect_storage_server,
            "StoragePool.disconnectStorageServer": self.disconnect_storage_server,
        }

    def connect_storage_server(self, _call: Call, params: Params) -> JSON:
        """Mounts each connection; [{id, status}], where a failed one does not touch the others."""
        kind, references = _request(params)
        return _statuses(references, self._connections.connect(kind, references))

    def disconnect_storage_server(self, _call: Call, params: Params) -> JSON:
        """Unmounts each connection; [{id, status}]. One that is not there has status 0."""
        _, references = _request(params)
        return _statuses(references, self._connections.disconnect(references))


def _request(params: Params) -> tuple[DomainType, list[Reference]]:
    """The type and the connections of a call. Raises VdsmError: -32602, or 44 for a type that this
    vdsm does not know how to connect."""
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
