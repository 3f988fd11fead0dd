# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.*: which storage domains there are, how they do, and which are watched."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import domain_types, errors, model, side_by_side, specs
from vdsm.storage.domain_types import DomainType
from vdsm.storage.errors import StorageError
from vdsm.storage.model import BLANK_UUID, MAX_HOSTS, DomainClass, DomainMetadata

log = logging.getLogger(__name__)

_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class Filter:
    """What Host.getStorageDomains is asked for; None: any."""

    pool: str | None = None
    domain_class: DomainClass | None = None
    kind: DomainType | None = None
    remote_path: str | None = None

    def takes_all(self) -> bool:
        return self == Filter()

    def takes(self, domain: DomainMetadata) -> bool:
        return (
            (self.pool is None or self.pool in domain.pools)
            and self.domain_class in (None, domain.domain_class)
            and self.kind in (None, domain.kind)
            and self.remote_path in (None, domain.remote_path)
        )


class HostStorage:
    """The verbs of Host that are about storage domains."""

    def __init__(self, services: Services) -> None:
        self._domains = services.storage.domains
        self._monitors = services.storage.monitors

    def table(self) -> dict[str, Handler]:
        """The verbs that look at storage."""
        return {
            "Host.getStorageDomains": self.get_storage_domains,
            "Host.startMonitoringDomain": self.start_monitoring_domain,
            "Host.stopMonitoringDomain": self.stop_monitoring_domain,
        }

    def local_table(self) -> dict[str, Handler]:
        """The verb that tells what the monitors have seen."""
        return {"Host.getStorageRepoStats": self.get_storage_repo_stats}

    def get_storage_domains(self, _call: Call, params: Params) -> JSON:
        """The domains that are found on what is mounted and answers. With a filter, one whose
        metadata cannot be read is left out."""
        wanted = _filter(params)
        found = self._domains.uuids()
        if wanted.takes_all():
            return list(found)
        taken = side_by_side.each(lambda uuid: self._takes(wanted, uuid), found, _AT_A_TIME)
        return [uuid for uuid, take in zip(found, taken, strict=True) if take]

    def _takes(self, wanted: Filter, uuid: str) -> bool:
        try:
            return wanted.takes(self._domains.find(uuid).metadata())
        except StorageError as error:
            log.warning("Storage domain %s is left out: %s", uuid, error)
            return False

    def get_storage_repo_stats(self, _call: Call, params: Params) -> JSON:
        """oVirt's StorageDomainVitalsMap: of the domains that are named, or of all watched."""
        stats = self._monitors.stats()
        names = params.get("domains")
        if not names:
            return stats
        if not isinstance(names, list):
            raise VdsmError(Code.INVALID_PARAMS, "domains: expected an array")
        return {uuid: stats[uuid] for uuid in map(_uuid_of_list, names) if uuid in stats}

    def start_monitoring_domain(self, _call: Call, params: Params) -> JSON:
        """Watches a domain that need not be of the pool. 358 when it is not found, 1000 for a host
        id out of range."""
        uuid = model.uuid(params.get("sdUUID"), "sdUUID")
        host_id = params.get("hostID")
        if isinstance(host_id, bool) or not isinstance(host_id, int):
            raise VdsmError(Code.INVALID_PARAMS, "hostID: expected a number")
        if not 1 <= host_id <= MAX_HOSTS:
            raise errors.InvalidParameter("hostID", f"{host_id} is not within 1 and {MAX_HOSTS}")
        self._domains.find(uuid)
        self._monitors.start(uuid, host_id, pool=False)
        return None

    def stop_monitoring_domain(self, _call: Call, params: Params) -> JSON:
        """Ends the watch and releases the host id; not watched: no error. 900 for a domain of the
        connected pool, which is the pool's to watch."""
        uuid = model.uuid(params.get("sdUUID"), "sdUUID")
        if self._monitors.is_of_pool(uuid):
            raise errors.StorageDomainIsMemberOfPool(uuid)
        self._monitors.stop([uuid])
        return None


def _uuid_of_list(value: JSON) -> str:
    return model.uuid(value, "domains")


def _filter(params: Params) -> Filter:
    """Raises VdsmError -32602 and InvalidParameter, each with the parameter's name."""
    pool, kind, path = (params.get(key) for key in ("storagepoolID", "storageType", "remotePath"))
    if path is not None and not isinstance(path, str):
        raise VdsmError(Code.INVALID_PARAMS, "remotePath: expected a string")
    try:
        remote_path = specs.normalize(path) if path else None
    except specs.BadConnection as error:
        raise errors.InvalidParameter("remotePath", str(error)) from None
    return Filter(
        pool=None if pool in (None, "", BLANK_UUID) else model.uuid(pool, "storagepoolID"),
        domain_class=_domain_class(params.get("domainClass")),
        kind=None if kind is None else domain_types.parse(kind, "storageType"),
        remote_path=remote_path,
    )


def _domain_class(value: JSON) -> DomainClass | None:
    """A name or a number, as engines send either; UNKNOWN takes any."""
    if value is None:
        return None
    for one in DomainClass:
        if str(value) in (one.label, str(one.value)):
            return one or None
    raise VdsmError(Code.INVALID_PARAMS, f"domainClass: {value!r:.40} is no class of domains")
