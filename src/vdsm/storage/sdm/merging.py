# SPDX-License-Identifier: GPL-2.0-or-later
"""A cold merge: a volume of a chain is merged into its parent, while no machine uses the image.

It has three steps, each a call of the engine: `prepare` on the SPM makes the base large enough,
`merge` on any host moves the data, `finalize` on the SPM takes the merged volume out of the chain.
Until then the chain is as it was; each step can be made again when a crash ended it. What happens
to whose metadata is oVirt's: an engine deletes the volume that is left over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.image import preparing
from vdsm.storage.image.chains import Chains
from vdsm.storage.image.data import VolumeData, backing
from vdsm.storage.image.preparing import Link
from vdsm.storage.model import (
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeMetadata,
    VolumeType,
)
from vdsm.storage.protocols import Domains, Job, Task
from vdsm.storage.sdm.bitmaps import Bitmaps
from vdsm.storage.sdm.copying import refuse_shared
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.params import Subchain
from vdsm.storage.sdm.volume_work import VolumeWork
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.store import VolumeStore


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two volumes, and what is below the base, if anything is."""

    base: Link
    top: Link
    below: Link | None


class Merges:
    """The three steps. Each raises or fails with VolumeIsNotInChain, WrongParentVolume,
    SharedVolumeNonWritable, ImageIsNotLegalChain."""

    def __init__(
        self,
        domains: Domains,
        volumes: VolumeStore,
        work: VolumeWork,
        data: VolumeData,
        qemu_img: QemuImg,
    ) -> None:
        self._domains = domains
        self._volumes = volumes
        self._work = work
        self._data = data
        self._qemu_img = qemu_img
        self._bitmaps = Bitmaps(work, data, qemu_img)
        self._chains = Chains(volumes, data, qemu_img)

    def prepare(self, subchain: Subchain) -> Job:
        """The job of StoragePool.prepareMerge."""

        def job(task: Task) -> JSON:
            with self._work.holding(writes=[subchain.base]):
                pair = self._legal_pair(subchain)
                task.check()
                self._bitmaps.prune(self._data.image(pair.base), self._data.image(pair.top))
                self._grow(pair.base, pair.top.metadata.capacity)
            return None

        return job

    def merge(self, subchain: Subchain, *, bitmaps: bool) -> Work:
        """The work of SDM.merge. The base stays legal: while the data is moved, whoever reads the
        chain from the top sees the same as before."""

        def run(job: StorageJob) -> None:
            with self._work.holding(writes=[subchain.base]):
                pair = self._legal_pair(subchain)
                base, top = self._data.image(pair.base), self._data.image(pair.top)
                commit = self._qemu_img.commit(top.path, base.path)
                with (
                    job.doing(commit),
                    self._work.operation(subchain.base, subchain.generation, illegal=False),
                ):
                    commit.run_checked()
                    if bitmaps and base.format is Format.COW:
                        below = self._data.image(pair.below) if pair.below else None
                        self._bitmaps.merge(base, top, below)

        return run

    def finalize(self, subchain: Subchain) -> Job:
        """The job of StoragePool.finalizeMerge."""

        def job(task: Task) -> JSON:
            with self._work.holding(writes=[subchain.base]):
                pair = self._pair(subchain)
                task.check()
                if pair.top.metadata.volume_type is not VolumeType.LEAF:
                    self._rebase_child(task, pair)
                self._chains.unlink(pair.top, pair.top)
            return None

        return job

    # ----------------------------------------------------------------------------------------------

    def _legal_pair(self, subchain: Subchain) -> _Pair:
        pair = self._pair(subchain)
        preparing.refuse_illegal([each for each in (pair.below, pair.base, pair.top) if each])
        return pair

    def _pair(self, subchain: Subchain) -> _Pair:
        chain = self._data.chain(subchain.top)
        names = [link.volume.volume for link in chain]
        if subchain.base.volume not in names:
            raise errors.VolumeIsNotInChain(f"{subchain.base} is not below {subchain.top}")
        if names[-2:-1] != [subchain.base.volume]:
            raise errors.WrongParentVolume(f"{subchain.base} is not the parent of {subchain.top}")
        for link in chain[-2:]:
            refuse_shared(link)
        below = chain[-3] if len(chain) > 2 else None
        return _Pair(base=chain[-2], top=chain[-1], below=below)

    def _grow(self, base: Link, capacity: int) -> None:
        """Gives the base the capacity of the top. The file of a COW grows with what is written."""
        before = base.metadata.capacity
        if capacity <= before:
            return
        if base.metadata.format is Format.RAW:
            domain = self._domains.find(base.volume.domain)
            path = layout.volume(base.volume.image, base.volume.volume)
            if base.metadata.allocation is Allocation.PREALLOCATED:
                domain.files.allocate(path, before, capacity - before)
            else:
                domain.files.truncate(path, capacity)
        self._volumes.change_metadata(base.volume, lambda now: replace(now, capacity=capacity))

    def _rebase_child(self, task: Task, pair: _Pair) -> None:
        """Lets the header of the top's child name the base. The top is ILLEGAL from now on: a
        crash leaves a chain that Image.reconcileVolumeChain repairs."""
        children = self._chains.children(pair.top.volume)
        if len(children) != 1:
            raise errors.UnexpectedVolumeState(
                f"{pair.top.volume} is {pair.top.metadata.volume_type.value} "
                f"and has {len(children)} children"
            )
        child = Link(children[0], self._volumes.metadata(children[0]))
        rebase = self._qemu_img.rebase(
            self._data.image(child).path,
            backing(pair.base),
            unsafe=True,
        )
        self._set_legality(pair.top.volume, Legality.ILLEGAL)
        try:
            with task.on_abort(rebase.abort):
                rebase.run_checked()
        except BaseException:
            # The chain is as it was: the merge can be tried again.
            self._set_legality(pair.top.volume, Legality.LEGAL)
            raise

    def _set_legality(self, volume: VolumeId, legality: Legality) -> None:
        def change(metadata: VolumeMetadata) -> VolumeMetadata:
            return replace(metadata, legality=legality)

        self._volumes.change_metadata(volume, change)
