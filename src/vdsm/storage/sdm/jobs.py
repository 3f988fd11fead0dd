# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM.*: the jobs that this host does on volumes, started and registered.

Parameters are JSON as it came; what is wrong with them is said at once, what is wrong on the
storage becomes the error of the job. An engine asks for it by Host.getJobs.
"""

from __future__ import annotations

from typing import Final

from vdsm.jobs import JobExists, Jobs
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.events import Events
from vdsm.storage import errors, model
from vdsm.storage.image.data import VolumeData
from vdsm.storage.protocols import Domains, Job, Pools, Resources
from vdsm.storage.sdm import params
from vdsm.storage.sdm.bitmaps import Bitmaps
from vdsm.storage.sdm.copying import copy_data
from vdsm.storage.sdm.creating import create_volume
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.merging import Merges
from vdsm.storage.sdm.updating import amend_volume, update_volume
from vdsm.storage.sdm.volume_work import VolumeWork
from vdsm.storage.volume.creation import refuse_impossible
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.volumes import FileVolumes
from vdsm.storage.workers import Workers

WORKERS: Final = 10
"""Jobs that run at a time, as many as tasks."""

QUEUE: Final = 100
"""Jobs that may wait."""


class SdmJobs:
    """Starts jobs. All that start one raise InvalidParameter, StoragePoolNotConnected, JobExists
    and AddTaskError."""

    def __init__(
        self,
        domains: Domains,
        volumes: FileVolumes,
        resources: Resources,
        pools: Pools,
        qemu_img: QemuImg,
        jobs: Jobs,
        events: Events,
    ) -> None:
        self._domains = domains
        self._volumes = volumes
        self._pools = pools
        self._qemu_img = qemu_img
        self._jobs = jobs
        self._events = events
        self._work = VolumeWork(domains, volumes, resources, pools)
        self._data = VolumeData(domains, volumes, qemu_img)
        self._bitmaps = Bitmaps(self._work, self._data, qemu_img)
        self._merges = Merges(domains, volumes, self._work, self._data, qemu_img)
        self._workers = Workers("sdm", WORKERS, QUEUE)
        self._started: dict[str, StorageJob] = {}

    def copy_data(self, job_id: JSON, source: JSON, target: JSON, *, bitmaps: bool) -> None:
        read, written = params.endpoint(source, "source"), params.endpoint(target, "destination")
        if read.volume == written.volume:
            raise errors.InvalidParameter("destination", "it is the source")
        work = copy_data(self._work, self._data, read, written, bitmaps=bitmaps)
        self._start(job_id, "copy_data", work)

    def create_volume(self, job_id: JSON, vol_info: JSON) -> None:
        volume, new = params.new_volume(vol_info, "vol_info")
        refuse_impossible(new)
        work = create_volume(self._work, self._volumes, volume, new)
        self._start(job_id, "create_volume", work)

    def update_volume(self, job_id: JSON, vol_info: JSON, vol_attr: JSON) -> None:
        endpoint = params.endpoint(vol_info, "vol_info")
        attributes = params.attributes(vol_attr, "vol_attr")
        work = update_volume(self._work, self._volumes, endpoint, attributes)
        self._start(job_id, "update_volume", work)

    def amend_volume(self, job_id: JSON, vol_info: JSON, qcow2_attr: JSON) -> None:
        endpoint = params.endpoint(vol_info, "vol_info")
        compat = params.compat(qcow2_attr, "qcow2_attr")
        work = amend_volume(self._work, self._domains, self._data, self._qemu_img, endpoint, compat)
        self._start(job_id, "amend_volume", work)

    def merge(self, job_id: JSON, subchain_info: JSON, *, bitmaps: bool) -> None:
        subchain = params.subchain(subchain_info, "subchain_info")
        self._start(job_id, "merge_subchain", self._merges.merge(subchain, bitmaps=bitmaps))

    def add_bitmap(self, job_id: JSON, vol_info: JSON, bitmap: JSON) -> None:
        endpoint = params.endpoint(vol_info, "vol_info")
        name = params.bitmap(bitmap, "bitmap")
        self._start(job_id, "add_bitmap", self._bitmaps.add(endpoint, name))

    def remove_bitmap(self, job_id: JSON, vol_info: JSON, bitmap: JSON) -> None:
        endpoint = params.endpoint(vol_info, "vol_info")
        name = params.bitmap(bitmap, "bitmap")
        self._start(job_id, "remove_bitmap", self._bitmaps.remove(endpoint, name))

    def clear_bitmaps(self, job_id: JSON, vol_info: JSON) -> None:
        endpoint = params.endpoint(vol_info, "vol_info")
        self._start(job_id, "clear_bitmaps", self._bitmaps.clear(endpoint))

    # --- the SPM's part of a merge ----------------------------------------------------------------

    def prepare_merge(self, subchain_info: JSON) -> Job:
        """The job of the task of StoragePool.prepareMerge."""
        return self._merges.prepare(params.subchain(subchain_info, "subchainInfo"))

    def finalize_merge(self, subchain_info: JSON) -> Job:
        """The job of the task of StoragePool.finalizeMerge."""
        return self._merges.finalize(params.subchain(subchain_info, "subchainInfo"))

    # ----------------------------------------------------------------------------------------------

    def _start(self, job_id: JSON, description: str, work: Work) -> None:
        job = StorageJob(model.uuid(job_id, "job_id"), description, work, self._events)
        if self._pools.connected() is None:
            raise errors.StoragePoolNotConnected(f"job {job.id} needs one")
        try:
            self._jobs.add(job)
        except JobExists:
            raise errors.JobExists(job.id) from None
        self._started[job.id] = job
        try:
            self._workers.submit(lambda: self._run(job))
        except errors.AddTaskError:
            del self._started[job.id]
            self._jobs.remove(job.id)
            raise

    def _run(self, job: StorageJob) -> None:
        try:
            job.run()
        finally:
            del self._started[job.id]
            self._jobs.ended(job.id)

    def close(self, timeout_s: float = 10.0) -> None:
        """Ends what runs and what waits; the volumes that were written to stay ILLEGAL."""
        for job in list(self._started.values()):
            job.abort()
        self._workers.drain(timeout_s)
