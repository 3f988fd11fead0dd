# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that watches one domain, and keeps this host's id in it."""

from __future__ import annotations

import logging
import threading
import time

from vdsm.storage import errors
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.errors import StorageError
from vdsm.storage.layout import METADATA
from vdsm.storage.model import DomainClass
from vdsm.storage.monitor.status import Status, overdue
from vdsm.storage.protocols import Domain, Domains

log = logging.getLogger(__name__)

_METADATA_S = 300.0  # between readings of the whole metadata; oVirt's repo_stats_cache_refresh


class Watch:
    """Looks at a domain every `interval_s` seconds, until `stop`. `status` is for any thread."""

    def __init__(
        self, domains: Domains, uuid: str, host_id: int, *, pool: bool, interval_s: float
    ) -> None:
        self.uuid = uuid
        self.host_id = host_id
        self.pool = pool
        self._domains = domains
        self._interval_s = interval_s
        self._status = Status(time.monotonic(), actual=False)
        self._looking_since: float | None = None
        self._domain: Domain | None = None
        self._holds_images = True  # an ISO domain may be of many pools, and has no host ids
        self._read_metadata_at = 0.0
        self._refusal = ""
        self._release = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"monitor/{uuid[:8]}", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """The last look; one that takes very long tells by itself how the domain does."""
        status, since = self._status, self._looking_since
        took = 0.0 if since is None else time.monotonic() - since
        return overdue(status, took) if took > 2 * self._interval_s else status

    def stop(self, *, release: bool) -> None:
        """Asks for the end; with `release` the host id is given back."""
        self._release = release
        self._stop.set()

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end: for a domain that hangs, until its operation fails."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._looking_since = time.monotonic()
            status = self._look()
            self._looking_since = None
            self._update(status)
            if self._stop.wait(self._interval_s):
                break
        if self._release and self._domain is not None and self._holds_images:
            self._release_host_id(self._domain)

    def _look(self) -> Status:
        """One look; does not raise."""
        error: StorageError | None = None
        delay, version, acquired = 0.0, self._status.version, False
        try:
            self._domain = domain = self._domains.find(self.uuid)
            version = domain.version
            with reading(str(domain.path)):
                delay = domain.files.read_delay(METADATA)
            self._check_metadata(domain)
        except StorageError as failure:
            error = failure
        except Exception as failure:
            log.exception("Looking at domain %s failed", self.uuid)
            error = errors.StorageDomainCheckError(str(failure))
        if self._domain is not None and self._holds_images:
            acquired = self._keep_host_id(self._domain, valid=error is None)
        return Status(time.monotonic(), error, delay, version, acquired)

    def _check_metadata(self, domain: Domain) -> None:
        """Reads all of the metadata now and then, and at each look while something is wrong."""
        now = time.monotonic()
        if self._status.valid and self._status.actual and now < self._read_metadata_at:
            return
        metadata = domain.metadata()
        self._holds_images = metadata.domain_class is not DomainClass.ISO
        self._read_metadata_at = now + _METADATA_S

    def _keep_host_id(self, domain: Domain, *, valid: bool) -> bool:
        """Whether the host id is held. Without one it is asked for, which goes on by itself."""
        try:
            held = domain.lock.has_host_id(self.host_id)
            if not held and valid and not self._stop.is_set():
                domain.lock.acquire_host_id(self.host_id, wait=False)
                held = domain.lock.has_host_id(self.host_id)
        except StorageError as error:
            if str(error) != self._refusal:  # told once, however often it is tried
                log.error("Host id %d of domain %s: %s", self.host_id, self.uuid, error)  # noqa: TRY400
            self._refusal = str(error)
            return False
        self._refusal = ""
        return held

    def _release_host_id(self, domain: Domain) -> None:
        try:
            domain.lock.release_host_id(self.host_id, wait=True, unused=True)
        except StorageError as error:
            log.error(  # noqa: TRY400 - the reason is all there is to say
                "Host id %d of domain %s is not released: %s", self.host_id, self.uuid, error
            )

    def _update(self, status: Status) -> None:
        before, self._status = self._status, status
        if not before.actual or before.valid != status.valid:
            if status.valid:
                log.info("Domain %s became VALID", self.uuid)
            else:
                log.error("Domain %s became INVALID: %s", self.uuid, status.error)
        if before.acquired != status.acquired:
            how = "acquired" if status.acquired else "lost"
            log.info("Host id %d of domain %s is %s", self.host_id, self.uuid, how)
