# SPDX-License-Identifier: GPL-2.0-or-later
"""Lease.*: leases of VMs and jobs on a storage domain. What changes one is a task of the SPM."""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import errors, model
from vdsm.storage.formats import lease_metadata
from vdsm.storage.locks.leases import ExternalLeases
from vdsm.storage.protocols import Task


class Lease:
    """The verbs of Lease. All raise InvalidParameter (1000), StorageDomainDoesNotExist (358) and
    UnsupportedDomainVersion (394); those that change something StorageDomainNotInPool (353),
    StoragePoolUnknown (309) and SpmStatusError (654)."""

    def __init__(self, services: Services) -> None:
        storage = services.storage
        self._domains = storage.domains
        self._pools = storage.pools
        self._tasks = storage.tasks
        self._leases = ExternalLeases(storage.domains, storage.resources)

    def table(self) -> dict[str, Handler]:
        return {
            "Lease.create": self.create,
            "Lease.delete": self.delete,
            "Lease.fence": self.fence,
            "Lease.info": self.info,
            "Lease.rebuild_leases": self.rebuild_leases,
            "Lease.status": self.status,
        }

    def create(self, _call: Call, params: Params) -> JSON:
        """The id of a task. Its codes: 657 it is there, 397 no space, 701; with metadata 651."""
        domain, name = _lease(params)
        given = params.get("metadata")
        metadata = None if given is None else lease_metadata.parse(given)
        pool = self._spm_of(domain)

        def job(_task: Task) -> JSON:
            self._leases.create(domain, name, metadata, host_id=self._pools.host_id(pool))
            return None

        return self._tasks.start("create_lease", job, pool=pool)

    def delete(self, _call: Call, params: Params) -> JSON:
        """The id of a task. Its codes: 936 there is none, 701."""
        domain, name = _lease(params)

        def job(_task: Task) -> JSON:
            self._leases.delete(domain, name)
            return None

        return self._tasks.start("delete_lease", job, pool=self._spm_of(domain))

    def rebuild_leases(self, _call: Call, params: Params) -> JSON:
        """The id of a task."""
        domain = model.uuid(params.get("sd_id"), "sd_id")

        def job(_task: Task) -> JSON:
            self._leases.rebuild(domain)
            return None

        return self._tasks.start("rebuild_leases", job, pool=self._spm_of(domain))

    def info(self, _call: Call, params: Params) -> JSON:
        """oVirt's LeaseInfo. Code 936 when there is none."""
        domain, name = _lease(params)
        lease = self._leases.info(domain, name)
        return {"sd_id": domain, "lease_id": name, "path": lease.path, "offset": lease.offset}

    def status(self, _call: Call, params: Params) -> JSON:
        """Who holds it: oVirt's ExternalLeaseStatus. Code 936 when there is none."""
        status = self._leases.status(*_lease(params))
        owner = status.owner.host_id
        answer: dict[str, JSON] = {"owners": [owner] if owner else [], "version": status.version}
        if status.metadata is not None:
            answer["metadata"] = status.metadata.answer()
        return answer

    def fence(self, _call: Call, params: Params) -> JSON:
        """Ends a pending job, so that no host begins it. Code 911 when the lease is for another
        job or generation, or the job is not pending; 651 while a host holds the lease; 936."""
        domain, name = _lease(params)
        wanted = lease_metadata.parse(params["metadata"])
        pool = self._pools.connected()
        if pool is None:
            raise errors.StoragePoolNotConnected(f"the lease {name} needs this host's id")
        self._pools.require_member(pool, domain)
        self._leases.fence(domain, name, wanted, host_id=self._pools.host_id(pool))
        return None

    def _spm_of(self, domain: str) -> str:
        """The pool of a domain, whose SPM this host is."""
        pools = self._domains.find(domain).metadata().pools
        if not pools:
            raise errors.StorageDomainNotInPool(f"domain {domain} is in no pool")
        self._pools.require_spm(pools[0])
        return pools[0]


def _lease(params: Params) -> tuple[str, str]:
    """The domain and the name of a lease."""
    lease = params.get("lease")
    if not isinstance(lease, dict):
        raise errors.InvalidParameter("lease", "expected an object")
    domain = model.uuid(lease.get("sd_id"), "lease.sd_id")
    return domain, model.uuid(lease.get("lease_id"), "lease.lease_id")
