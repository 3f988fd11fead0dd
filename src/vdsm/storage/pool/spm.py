# SPDX-License-Identifier: GPL-2.0-or-later
"""Becoming SPM, being it, and ceasing to be it.

The SPM is who holds the master's SPM lease. sanlock kills this process when the lockspace is lost;
besides, the holder looks every 20 seconds whether the lease is still its own, and when it is not,
or nobody can tell for as long as a lease lives, it stops working on the pool.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import writing
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats.mailbox import Extend
from vdsm.storage.model import MAX_HOSTS, SpmStatus
from vdsm.storage.pool.backend import NO_SPM, NO_VERSION
from vdsm.storage.pool.connected import ConnectedPool
from vdsm.storage.pool.mailbox import SpmMonitor
from vdsm.storage.protocols import Domain, Tasks

log = logging.getLogger(__name__)

WATCH_INTERVAL_S: Final = 20.0
"""Between two looks at the lease: oVirt's watchdog_interval."""

DEAD_AFTER_S: Final = 80.0
"""After so long without an answer the lease has run out, and another host may be SPM: sanlock's
eight I/O timeouts of ten seconds."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """StoragePool.spmStart: `previous` is (host id, lease version) of the former SPM, -1 each when
    there was none; `version` is what the domains shall have (None: what the master has)."""

    previous: tuple[int, int] = (NO_SPM, NO_VERSION)
    max_host_id: int = MAX_HOSTS
    version: int | None = None


Upgrade = Callable[[ConnectedPool, int], None]
"""Brings the pool's domains to a version."""


class Spm:
    """This host as the SPM of the pool that it is connected to. The caller holds the pool."""

    def __init__(
        self,
        tasks: Tasks,
        upgrade: Upgrade,
        watch_interval_s: float = WATCH_INTERVAL_S,
        dead_after_s: float = DEAD_AFTER_S,
    ) -> None:
        self._tasks = tasks
        self._upgrade = upgrade
        self._watch_interval_s = watch_interval_s
        self._dead_after_s = dead_after_s
        self._guard = threading.Lock()
        self._max_host_id = MAX_HOSTS
        self._mailbox: SpmMonitor | None = None
        self._watch: _Watch | None = None

    def start(self, pool: ConnectedPool, request: StartRequest) -> None:
        """Makes this host the SPM. Raises IsSpm, SpmParamsMismatch, DomainVersionTooAdvanced,
        AcquireHostIdFailure, AcquireLockFailure; then it is as free as before."""
        pool.require_not_spm()
        master = pool.master
        found = master.metadata().version
        if request.version is not None and found > request.version:
            raise errors.DomainVersionTooAdvanced(
                f"domain {master.uuid} has version {found}, not {request.version}"
            )
        lver = self._check_previous(pool, request)
        pool.role = SpmStatus.CONTEND
        with ExitStack() as undo:
            undo.callback(_set_free, pool)
            master.lock.acquire_host_id(pool.host_id, wait=True)
            master.lock.acquire(pool.host_id)
            undo.callback(self._give_up, pool)
            pool.backend.set_spm(master, pool.host_id, lver + 1)
            if request.version is not None:
                self._upgrade(pool, request.version)
            self._max_host_id = request.max_host_id
            self._serve(pool)
            undo.pop_all()
        log.info("This host is SPM of pool %s with host id %d", pool.uuid, pool.host_id)

    def stop(self, pool: ConnectedPool) -> None:
        """Ceases to be SPM; not being it is no error. Raises SpmStopError while tasks go on, and
        ReleaseLockFailure."""
        if pool.role is SpmStatus.FREE:
            return
        self.refuse_with_tasks(pool)
        self._end(pool)
        pool.role = SpmStatus.FREE
        self._note_nobody(pool)
        pool.master.lock.release()
        log.info("This host is not SPM of pool %s any more", pool.uuid)

    def refuse_with_tasks(self, pool: ConnectedPool) -> None:
        """Raises SpmStopError that names the tasks that go on."""
        unfinished = self._tasks.unfinished(pool.uuid)
        if unfinished:
            raise errors.SpmStopError(f"pool {pool.uuid} has tasks {', '.join(unfinished)}")

    def move(self, pool: ConnectedPool, old: Domain) -> None:
        """The master was moved under the feet of the SPM: serves the new one. The new one's lease
        is held by now; the old one's is given back."""
        self._end(pool)
        self._serve(pool)
        try:
            old.lock.release()
        except errors.ReleaseLockFailure as error:
            log.warning("The lease of the former master was not released: %s", error)

    def lost(self, pool: ConnectedPool, why: str) -> None:
        """The lease is not this host's any more: it touches the pool no more."""
        if pool.role is not SpmStatus.SPM:
            return
        log.error("This host is not SPM of pool %s any more: %s", pool.uuid, why)
        pool.role = SpmStatus.FREE
        self._end(pool)

    def _check_previous(self, pool: ConnectedPool, request: StartRequest) -> int:
        """The version of the former SPM's lease. What the engine believes is checked where the
        pool's metadata says it; with a backend in memory the lock alone decides."""
        if not pool.backend.on_disk:
            return NO_VERSION
        content = pool.content()
        found = (content.spm_id, content.spm_lver)
        if request.previous not in (found, (NO_SPM, NO_VERSION)):
            raise errors.SpmParamsMismatch(
                f"pool {pool.uuid}: SPM {found[0]} with version {found[1]},"
                f" not {request.previous[0]} with {request.previous[1]}"
            )
        return content.spm_lver

    def _serve(self, pool: ConnectedPool) -> None:
        master = pool.master
        make_master_tree(master)
        # Recovering a task is work of the SPM, so that the role comes first.
        pool.role = SpmStatus.SPM
        self._tasks.attach(pool.uuid, master.files.below(layout.TASKS))
        mailbox = None
        if has_mailbox(master):
            mailbox = SpmMonitor(master.files, self._max_host_id, _extender(pool))
            with writing(str(master.path / layout.OUTBOX)):
                mailbox.start()
        watch = _Watch(
            master,
            pool.host_id,
            lambda why: self.lost(pool, why),
            self._watch_interval_s,
            self._dead_after_s,
        )
        with self._guard:
            self._mailbox, self._watch = mailbox, watch
        watch.start()

    def close(self) -> None:
        """Stops what goes on in the background; waits for nothing that storage may hold up."""
        with self._guard:
            mailbox, watch = self._mailbox, self._watch
            self._mailbox = self._watch = None
        if watch is not None:
            watch.stop()
        if mailbox is not None:
            mailbox.stop()

    def _end(self, pool: ConnectedPool) -> None:
        self.close()
        self._tasks.detach(pool.uuid)

    def _give_up(self, pool: ConnectedPool) -> None:
        """Undoes a start that failed; that failure is what the caller is told."""
        self._end(pool)
        self._note_nobody(pool)
        try:
            pool.master.lock.release()
        except errors.ReleaseLockFailure as error:
            log.warning("The lease of pool %s was not released: %s", pool.uuid, error)

    @staticmethod
    def _note_nobody(pool: ConnectedPool) -> None:
        """Whoever is SPM next overwrites it: that it cannot be noted now does no harm."""
        try:
            pool.backend.set_spm(pool.master, NO_SPM)
        except (errors.StorageError, OSError) as error:
            log.warning("Pool %s still names this host as SPM: %s", pool.uuid, error)


def _set_free(pool: ConnectedPool) -> None:
    pool.role = SpmStatus.FREE


def has_mailbox(master: Domain) -> bool:
    """Whether hosts can write to the SPM: a localfs domain has no other host."""
    return master.kind is not DomainType.LOCALFS


def make_master_tree(domain: Domain) -> None:
    """Makes the directories of tasks and of machines on a master or a backup domain. Raises
    NoSpaceLeft, InsufficientPermissions, StorageDomainMasterError."""
    with writing(str(domain.path / layout.MASTER), errors.StorageDomainMasterError):
        for directory in (layout.TASKS, layout.VMS):
            if not domain.files.exists(directory):
                domain.files.mkdir(directory, parents=True)


def _extender(pool: ConnectedPool) -> Callable[[Extend], None]:
    def extend(wanted: Extend) -> None:
        """A volume of a file domain has its size already; only whose it is can be wrong."""
        pool.require_member(wanted.domain)

    return extend


class _Watch:
    """Looks whether the SPM's lease is still this host's."""

    def __init__(
        self,
        master: Domain,
        host_id: int,
        lost: Callable[[str], None],
        interval_s: float,
        dead_after_s: float,
    ) -> None:
        self._lock = master.lock
        self._host_id = host_id
        self._lost = lost
        self._interval_s = interval_s
        self._dead_after_s = dead_after_s
        self._stop = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="spm-watch", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        silent_s = 0.0
        while not self._stop.wait(self._interval_s):
            try:
                owner = self._lock.inquire()
            except errors.InquireNotSupported:
                return
            except (errors.StorageError, OSError) as error:
                silent_s += self._interval_s
                log.warning("The SPM's lease cannot be read: %s", error)
                if silent_s >= self._dead_after_s:
                    self._report(f"its lease could not be read for {silent_s:.0f} s")
                    return
                continue
            silent_s = 0.0
            if owner.host_id != self._host_id:
                self._report(f"its lease is of host id {owner.host_id}")
                return

    def _report(self, why: str) -> None:
        if not self._stop.is_set():
            self._lost(why)
