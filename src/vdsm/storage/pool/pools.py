# SPDX-License-Identifier: GPL-2.0-or-later
"""The storage pool that this host is connected to: what the verbs of StoragePool, and those of
StorageDomain that change a pool, do.

A host is connected to one pool at most, and knows it only in memory: after a restart an engine
connects again. Who changes the pool holds its resource, and the resources of the domains that
change with it, taken together; what is refused is refused before anything changes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from functools import partial

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.domain.create import FormatLeases
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.formats.mailbox import Extend
from vdsm.storage.model import BLANK_UUID, DomainStatus, SpmStatus
from vdsm.storage.pool import changes, create, info, master, members, vms
from vdsm.storage.pool.backend import Backend, DiskBackend, MemoryBackend
from vdsm.storage.pool.changes import LeaseParameters
from vdsm.storage.pool.connected import ConnectedPool, Surroundings, find_master
from vdsm.storage.pool.links import Links
from vdsm.storage.pool.mailbox import Answered, HostMailbox
from vdsm.storage.pool.members import Members
from vdsm.storage.pool.spm import Spm, StartRequest, has_mailbox
from vdsm.storage.pool.upgrade import Upgrades
from vdsm.storage.pool.vms import Machine
from vdsm.storage.protocols import Domain, Domains, Monitors, Resource, Resources, Task, Tasks

log = logging.getLogger(__name__)

_CONNECTING = Resource(("connected pool",))


class StoragePools:
    """Keeps the protocol `Pools`. For any thread."""

    def __init__(
        self,
        domains: Domains,
        monitors: Monitors,
        tasks: Tasks,
        resources: Resources,
        format_leases: FormatLeases,
        links: Links | None = None,
    ) -> None:
        self._domains = domains
        self._monitors = monitors
        self._tasks = tasks
        self._resources = resources
        self._surroundings = Surroundings(domains, monitors, links or Links())
        self._upgrades = Upgrades(domains, resources, format_leases)
        self._members = Members(domains, self._surroundings, self._upgrades.convert)
        self._spm = Spm(tasks, self._upgrades.upgrade)
        self._connected: ConnectedPool | None = None
        self._as_spm: list[Callable[[str], None]] = []

    def when_spm(self, begin: Callable[[str], None]) -> None:
        """What a new SPM of a pool shall begin with; it must not raise."""
        self._as_spm.append(begin)

    # --- the protocol `Pools` ---------------------------------------------------------------------

    def require(self, pool: str) -> None:
        self._pool(pool)

    def require_spm(self, pool: str) -> None:
        self._pool(pool).require_spm()

    def require_member(self, pool: str, domain: str) -> None:
        self._pool(pool).require_member(domain)

    def connected(self) -> str | None:
        found = self._connected
        return None if found is None else found.uuid

    def host_id(self, pool: str) -> int:
        return self._pool(pool).host_id

    def spm_status(self, pool: str) -> SpmStatus:
        return self._pool(pool).role

    def domains(self, pool: str) -> Mapping[str, DomainStatus]:
        return self._pool(pool).domains()

    def close(self) -> None:
        """Ends what goes on in the background. The SPM's lease ends with the process."""
        self._spm.close()
        if self._connected is not None:
            self._connected.mailbox.close()

    # --- connecting -------------------------------------------------------------------------------

    def create(
        self,
        pool: str,
        *,
        name: str,
        master: str,
        version: int,
        members: Sequence[str],
        lease: LeaseParameters,
    ) -> None:
        """StoragePool.create; what it raises: `vdsm.storage.pool.create.create`, and
        StoragePoolConnected for the pool that is connected."""
        if master not in members:
            raise errors.InvalidParameter("masterSdUUID", f"{master} is not in domainList")
        with self._resources.holding(Resource.pool(pool), *map(Resource.domain, members)):
            self._refuse_connected(pool)
            create.create(
                self._domains,
                pool=pool,
                name=name,
                master=master,
                version=version,
                members=members,
                lease=lease,
            )

    def connect(
        self,
        pool: str,
        *,
        host_id: int,
        master: str,
        version: int,
        domains: Mapping[str, DomainStatus] | None,
    ) -> None:
        """StoragePool.connect; with `domains` the engine keeps the pool's metadata. A pool that is
        connected already gets what is new.

        Raises CannotConnectMultiplePools, StoragePoolConnected (another host id, or back to
        metadata on the disk), StoragePoolMasterNotFound, StoragePoolWrongMaster; then the
        connection is as it was.
        """
        self._refuse_another(pool)
        with self._resources.holding(_CONNECTING, Resource.pool(pool)):
            self._refuse_another(pool)
            backend: Backend = DiskBackend()
            if domains is not None:
                backend = MemoryBackend(version, domains)
            current = self._connected
            if current is not None:
                _refuse_other_connection(current, host_id, backend)
            found = find_master(self._domains, pool, master, version, backend)
            if current is None:
                self._enter(ConnectedPool(pool, host_id, found, backend))
            else:
                self._use(current, found, backend)

    def disconnect(self, pool: str) -> None:
        """StoragePool.disconnect; a pool that is not connected is no error. Raises IsSpm."""
        if self.connected() != pool:
            return
        self._pool(pool).require_not_spm()
        with self._resources.holding(_CONNECTING, Resource.pool(pool)):
            if self.connected() == pool:
                self._leave(self._pool(pool))

    def refresh(self, pool: str, master: str, version: int) -> None:
        """StoragePool.refresh: looks anew at what is there. Raises StoragePoolUnknown and what
        `connect` raises of the master."""
        with self._resources.holding(_CONNECTING, Resource.pool(pool)):
            current = self._pool(pool)
            found = find_master(self._domains, pool, master, version, current.backend)
            self._use(current, found, current.backend)

    def destroy(self, pool: str, host_id: int) -> None:
        """StoragePool.destroy: takes all domains out of the pool and disconnects.

        Raises StoragePoolUnknown, HostIdMismatch, SpmStatusError, SpmStopError; and what detaching
        a domain raises: those before it are detached, and the call can be made again.
        """
        known = self._pool(pool)
        if known.host_id != host_id:
            raise errors.HostIdMismatch(f"pool {pool} has host id {known.host_id}, not {host_id}")
        held = map(Resource.domain, known.domains())
        with self._resources.holding(_CONNECTING, Resource.pool(pool), *held):
            current = self._spm_of(pool)
            self._spm.refuse_with_tasks(current)
            for uuid in list(current.domains()):
                if uuid != current.master.uuid:
                    self._members.detach(current, uuid)
            # While the lease keeps others from becoming SPM of what is no pool any more.
            current.master.change_metadata(lambda found: changes.detach(found, pool))
            self._spm.stop(current)
            self._leave(current)

    def reconstruct_master(
        self,
        pool: str,
        *,
        host_id: int,
        name: str,
        master: str,
        version: int,
        domains: Mapping[str, DomainStatus],
        lease: LeaseParameters,
    ) -> None:
        """StoragePool.reconstructMaster, before a host connects. Raises StoragePoolConnected, and
        what `vdsm.storage.pool.create.reconstruct` raises."""
        if master not in domains:
            raise errors.InvalidParameter("masterSdUUID", f"{master} is not in domainDict")
        with self._resources.holding(Resource.pool(pool), Resource.domain(master)):
            self._refuse_connected(pool)
            create.reconstruct(
                self._domains,
                pool=pool,
                host_id=host_id,
                name=name,
                master=master,
                version=version,
                members=domains,
                lease=lease,
            )

    # --- the SPM ----------------------------------------------------------------------------------

    def spm_start(self, pool: str, request: StartRequest) -> str:
        """Starts a task that makes this host the SPM; its id. Raises StoragePoolUnknown, IsSpm."""
        self._pool(pool).require_not_spm()

        def job(_task: Task) -> JSON:
            with self._resources.holding(*_for_version(self._pool(pool), request.version)):
                self._spm.start(self._pool(pool), request)
            demote = partial(copy_context().run, self._demote_others, pool)
            threading.Thread(target=demote, daemon=True).start()
            for begin in self._as_spm:
                begin(pool)
            return None

        return self._tasks.start("spmStart", job)

    def spm_stop(self, pool: str) -> None:
        """Raises StoragePoolUnknown, SpmStopError, ReleaseLockFailure."""
        self._pool(pool)
        with self._resources.holding(Resource.pool(pool)):
            self._spm.stop(self._pool(pool))

    def spm_info(self, pool: str) -> JSON:
        """SpmStatus for StoragePool.getSpmStatus."""
        return info.spm_status(self._pool(pool))

    def ask_to_extend(self, pool: str, wanted: Extend, answered: Answered) -> None:
        """Asks the SPM, by the mailbox, to extend a volume; `answered` is called when it did or
        could not. Raises StoragePoolUnknown, MailboxFull, and what writing raises."""
        current = self._pool(pool)
        with writing(str(current.master.path / layout.INBOX)):
            current.mailbox.ask(wanted, answered)

    def switch_master(self, pool: str, old: str, new: str, version: int) -> str:
        """Starts a task that moves the master's role; its id. Raises what `master.check` does."""
        master.check(self._spm_of(pool), old, new, version)

        def job(_task: Task) -> JSON:
            held = (Resource.domain(old), Resource.domain(new))
            with self._resources.holding(Resource.pool(pool), *held):
                self._move_master(self._spm_of(pool), old, new, version)
            return None

        return self._tasks.start("switchMaster", job)

    def upgrade(self, pool: str, version: int) -> None:
        """Brings the domains to a version: the master now, the others in the background."""
        with self._resources.holding(*_for_version(self._spm_of(pool), version)):
            self._upgrades.upgrade(self._spm_of(pool), version)

    # --- domains of the pool ----------------------------------------------------------------------

    def attach(self, pool: str, domain: str) -> None:
        """StorageDomain.attach."""
        with self._resources.holding(Resource.pool(pool), Resource.domain(domain)):
            self._members.attach(self._spm_of(pool), domain)

    def activate(self, pool: str, domain: str) -> None:
        """StorageDomain.activate."""
        with self._resources.holding(Resource.pool(pool), Resource.domain(domain)):
            self._members.activate(self._spm_of(pool), domain)

    def deactivate(self, pool: str, domain: str, new_master: str, version: int) -> None:
        """StorageDomain.deactivate. The master is deactivated by moving its role to `new_master`;
        with BLANK_UUID for that the call changes nothing, as oVirt's does."""
        held = [Resource.domain(domain)]
        if new_master != BLANK_UUID:
            held.append(Resource.domain(new_master))
        with self._resources.holding(Resource.pool(pool), *held):
            current = self._spm_of(pool)
            current.require_member(domain)
            if domain == current.master.uuid:
                if new_master == BLANK_UUID:
                    return
                master.check(current, domain, new_master, version)
                self._move_master(current, domain, new_master, version)
            self._members.deactivate(current, domain)

    def detach(self, pool: str, domain: str, *, force: bool = False) -> None:
        """StorageDomain.detach. By force the domain's own metadata is left alone; without a pool
        (BLANK_UUID) by force only that is changed."""
        if force and pool == BLANK_UUID:
            with self._resources.holding(Resource.domain(domain)):
                members.free_from_pools(self._domains.find(domain))
            return
        with self._resources.holding(Resource.pool(pool), Resource.domain(domain)):
            current = self._spm_of(pool)
            if force:
                self._members.forget(current, domain)
            else:
                self._members.detach(current, domain)

    # --- what a pool knows ------------------------------------------------------------------------

    def info(self, pool: str) -> JSON:
        """StoragePoolFullInfo for StoragePool.getInfo."""
        current = self._pool(pool)
        with self._resources.holding(Resource.pool(pool, exclusive=False)):
            return info.describe(current, self._domains, self._monitors)

    def set_description(self, pool: str, text: str) -> None:
        with self._resources.holding(Resource.pool(pool)):
            current = self._spm_of(pool)
            current.backend.set_description(current.master, text)

    def domains_with_image(self, pool: str, image: str) -> list[str]:
        """The active domains that have a directory of the image."""
        current = self._pool(pool)
        found = []
        for uuid in sorted(current.active()):
            domain = self._domains.find(uuid)
            with reading(str(domain.path)):
                if domain.files.exists(layout.image(image)):
                    found.append(uuid)
        return found

    # --- machines ---------------------------------------------------------------------------------

    def update_vms(self, pool: str, machines: Sequence[Machine], domain: str | None) -> None:
        """Stores OVFs on a backup domain, or on the master."""
        with self._resources.holding(_vms_of(pool)):
            self.require_spm(pool)
            vms.update(self._of_machines(pool, domain).files, machines)

    def remove_vm(self, pool: str, machine: str, domain: str | None) -> None:
        with self._resources.holding(_vms_of(pool)):
            self.require_spm(pool)
            vms.remove(self._of_machines(pool, domain).files, machine)

    def vms(self, pool: str, domain: str | None) -> list[str]:
        return vms.uuids(self._of_machines(pool, domain).files)

    def ovfs(self, pool: str, domain: str | None, machines: Sequence[str]) -> dict[str, str]:
        return vms.ovfs(self._of_machines(pool, domain).files, machines)

    # --- inside -----------------------------------------------------------------------------------

    def _pool(self, pool: str) -> ConnectedPool:
        found = self._connected
        if found is None or found.uuid != pool:
            raise errors.StoragePoolUnknown(pool)
        return found

    def _spm_of(self, pool: str) -> ConnectedPool:
        found = self._pool(pool)
        found.require_spm()
        return found

    def _refuse_another(self, pool: str) -> None:
        connected = self.connected()
        if connected not in (None, pool):
            raise errors.CannotConnectMultiplePools(f"{connected}, not {pool}")

    def _refuse_connected(self, pool: str) -> None:
        if self.connected() == pool:
            raise errors.StoragePoolConnected(pool)

    def _enter(self, pool: ConnectedPool) -> None:
        """Connects; a failure leaves no links and nothing watched."""
        try:
            self._surroundings.follow(pool, anew=True)
        except errors.StorageError:
            self._surroundings.leave(pool)
            raise
        self._open_mailbox(pool, pool.master)
        self._connected = pool
        log.info("Connected to pool %s with host id %d", pool.uuid, pool.host_id)

    def _use(self, pool: ConnectedPool, master: Domain, backend: Backend) -> None:
        """Takes what the engine says now. The SPM works on its master until it stops."""
        if master.uuid != pool.master.uuid:
            pool.require_not_spm()
            self._open_mailbox(pool, master)
        pool.master, pool.backend = master, backend
        self._surroundings.follow(pool, anew=True)

    def _leave(self, pool: ConnectedPool) -> None:
        pool.require_not_spm()
        self._connected = None
        pool.mailbox.close()
        self._surroundings.leave(pool)
        log.info("Disconnected from pool %s", pool.uuid)

    def _open_mailbox(self, pool: ConnectedPool, master: Domain) -> None:
        """What this host asked for in a former life is not asked any more. A host that cannot say
        so is told of what nobody waits for, which does no harm."""
        pool.mailbox.close()
        pool.mailbox = HostMailbox(master.files, pool.host_id)
        if has_mailbox(master):
            try:
                pool.mailbox.clear()
            except (errors.StorageError, OSError) as error:
                log.warning("The mailbox on domain %s was not cleared: %s", master.uuid, error)

    def _demote_others(self, pool: str) -> None:
        """Takes the master's role from all but the master. A dead domain holds up nobody but those
        that change the pool, and those until it is given up."""
        try:
            for uuid in self._spm_of(pool).active():
                with self._resources.holding(Resource.pool(pool, exclusive=False)):
                    self._members.demote(self._spm_of(pool), uuid)
        except errors.StorageError as error:
            log.warning("Not all roles in pool %s were looked at: %s", pool, error)

    def _move_master(self, pool: ConnectedPool, old: str, new: str, version: int) -> None:
        """Moves the role from one domain to another. Tasks are kept on the master, so that none may
        go on: SpmStopError."""
        master.check(pool, old, new, version)
        self._spm.refuse_with_tasks(pool)
        former = pool.master
        master.move(pool, self._domains.find(new), version)
        self._open_mailbox(pool, pool.master)
        self._spm.move(pool, former)
        self._surroundings.follow(pool)
        master.retire(former)

    def _of_machines(self, pool: str, domain: str | None) -> Domain:
        """The one with the OVFs. Raises StorageDomainNotMemberOfPool, StorageDomainNotActive."""
        current = self._pool(pool)
        if domain is None or domain in (BLANK_UUID, current.master.uuid):
            return current.master
        current.require_member(domain)
        if domain not in current.active():
            raise errors.StorageDomainNotActive(domain)
        return self._domains.find(domain)


def _refuse_other_connection(pool: ConnectedPool, host_id: int, backend: Backend) -> None:
    """Raises StoragePoolConnected for what cannot change while a pool is connected."""
    if host_id != pool.host_id:
        raise errors.StoragePoolConnected(f"{pool.uuid} with host id {pool.host_id}, not {host_id}")
    if backend.on_disk and not pool.backend.on_disk:
        raise errors.StoragePoolConnected(f"{pool.uuid} with the engine's metadata")


def _for_version(pool: ConnectedPool, version: int | None) -> list[Resource]:
    """What is held to bring the pool to a version: the master only if it changes, for its volumes
    may be at work for hours."""
    held = [Resource.pool(pool.uuid)]
    if version not in (None, pool.master.metadata().version):
        held.append(Resource.domain(pool.master.uuid))
    return held


def _vms_of(pool: str) -> Resource:
    return Resource(("machines", pool))
