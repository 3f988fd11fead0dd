# SPDX-License-Identifier: GPL-2.0-or-later
"""SDM.*: jobs on volumes, which any host of the pool does; and the SPM's two parts of a merge.

Not there: SDM.sparsify_volume, which needs libguestfs, and what is for block domains only.
"""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import model


class Sdm:
    """The verbs of SDM: each starts a job, whose end Host.getJobs and an event tell. All raise
    InvalidParameter (1000), StoragePoolNotConnected (313), JobExists (69) and AddTaskError (405,
    too many wait)."""

    def __init__(self, services: Services) -> None:
        self._sdm = services.storage.sdm
        self._pools = services.storage.pools
        self._tasks = services.storage.tasks

    def local_table(self) -> dict[str, Handler]:
        return {
            "SDM.add_bitmap": self.add_bitmap,
            "SDM.amend_volume": self.amend_volume,
            "SDM.clear_bitmaps": self.clear_bitmaps,
            "SDM.copy_data": self.copy_data,
            "SDM.create_volume": self.create_volume,
            "SDM.merge": self.merge,
            "SDM.remove_bitmap": self.remove_bitmap,
            "SDM.update_volume": self.update_volume,
        }

    def table(self) -> dict[str, Handler]:
        """What writes a task to the master domain."""
        return {
            "StoragePool.finalizeMerge": self.finalize_merge,
            "StoragePool.prepareMerge": self.prepare_merge,
        }

    # --- jobs -------------------------------------------------------------------------------------

    def copy_data(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: 911 another generation, 227 a volume is illegal, 219 the target is a
        template, 229 it is too small, 262, 397 no space."""
        bitmaps = params.get("copy_bitmaps") is True
        self._sdm.copy_data(
            params["job_id"], params["source"], params["destination"], bitmaps=bitmaps
        )
        return None

    def create_volume(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: as of the task of Volume.create."""
        self._sdm.create_volume(params["job_id"], params["vol_info"])
        return None

    def update_volume(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: 911 another generation, 235 it cannot become what it shall."""
        self._sdm.update_volume(params["job_id"], params["vol_info"], params["vol_attr"])
        return None

    def amend_volume(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: 202 it is raw, 219 a template, 394 the domain is too old, 911, 250."""
        self._sdm.amend_volume(params["job_id"], params["vol_info"], params["qcow2_attr"])
        return None

    def merge(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: 920 and 921 the two are not parent and child, 219, 227, 911, 250."""
        bitmaps = params.get("merge_bitmaps") is True
        self._sdm.merge(params["job_id"], params["subchain_info"], bitmaps=bitmaps)
        return None

    def add_bitmap(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: 202 it is raw, 1620 it is there already, 911."""
        self._sdm.add_bitmap(params["job_id"], params["vol_info"], params["bitmap"])
        return None

    def remove_bitmap(self, _call: Call, params: Params) -> JSON:
        """One that is not there is no error. Codes of the job: 202, 1622, 911."""
        self._sdm.remove_bitmap(params["job_id"], params["vol_info"], params["bitmap"])
        return None

    def clear_bitmaps(self, _call: Call, params: Params) -> JSON:
        """Codes of the job: 202 it is raw, 219 a template, 1622, 911."""
        self._sdm.clear_bitmaps(params["job_id"], params["vol_info"])
        return None

    # --- tasks of the SPM -------------------------------------------------------------------------

    def prepare_merge(self, _call: Call, params: Params) -> JSON:
        """The id of a task. Codes: 309, 654; of the task: 920, 921, 219, 227."""
        pool = self._spm(params)
        job = self._sdm.prepare_merge(params["subchainInfo"])
        return self._tasks.start("prepareMerge", job, pool=pool)

    def finalize_merge(self, _call: Call, params: Params) -> JSON:
        """The id of a task. Codes: 309, 654; of the task: 920, 921, 219, 922."""
        pool = self._spm(params)
        job = self._sdm.finalize_merge(params["subchainInfo"])
        return self._tasks.start("finalizeMerge", job, pool=pool)

    def _spm(self, params: Params) -> str:
        pool = model.uuid(params["storagepoolID"], "storagepoolID")
        self._pools.require_spm(pool)
        return pool
