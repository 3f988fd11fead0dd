# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage jobs with the real qemu-img: data, metadata, events, and what an abort leaves."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage import guest_data
from storage.data_site import DataSite
from storage.domain_site import DOMAIN, POOL
from storage.image_site import BASE, IMAGE, LEAF, MIDDLE, OTHER_IMAGE, InlineTask, run
from vdsm.jobs import Jobs
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.events import Events
from vdsm.storage import errors
from vdsm.storage.model import (
    MIB,
    Allocation,
    DomainStatus,
    Format,
    Legality,
    VolumeId,
    VolumeType,
)
from vdsm.storage.sdm.jobs import SdmJobs
from vdsm.storage.volume.qemu_img import Image, QemuImg
from vdsm.storage.volume.volumes import NewVolume

DEADLINE_S = 60


class JobSite(DataSite):
    """A domain whose jobs run; `ended` is told by the events."""

    def __init__(self, root: Path, qemu_img: QemuImg) -> None:
        super().__init__(root, qemu_img=qemu_img)
        self.pools.pool, self.pools.members = POOL, {DOMAIN: DomainStatus.ACTIVE}
        self.events = Events()
        self.jobs = Jobs()
        self.sdm = self.jobs_with(qemu_img)
        self._told = threading.Condition()
        self.ended: dict[str, dict[str, JSON]] = {}
        self.events.bind(self._tell)

    def jobs_with(self, qemu_img: QemuImg) -> SdmJobs:
        return SdmJobs(
            self.domains,
            self.store,
            self.resources,
            self.pools,
            qemu_img,
            self.jobs,
            self.events,
        )

    def _tell(self, event: bytes) -> None:
        message = json.loads(event)
        with self._told:
            self.ended[message["method"]] = message["params"]
            self._told.notify_all()

    def wait(self, job: str) -> dict[str, JSON]:
        """What the event of the job's end said."""
        name = f"|jobs|status|{job}"
        with self._told:
            assert self._told.wait_for(lambda: name in self.ended, DEADLINE_S)
        return self.ended[name]

    def do(self, start: Callable[[str], None]) -> dict[str, JSON]:
        """Starts a job, and waits for its end."""
        job = str(uuid.uuid4())
        start(job)
        return self.wait(job)

    def bitmaps(self, volume: VolumeId) -> list[str]:
        info = self.qemu_img.info(Image(self.store.path(volume), Format.COW))
        return sorted(bitmap.name for bitmap in info.bitmaps)


def endpoint(volume: VolumeId, generation: int | None = None) -> JSON:
    shape: dict[str, JSON] = {
        "endpoint_type": "div",
        "sd_id": volume.domain,
        "img_id": volume.image,
        "vol_id": volume.volume,
    }
    return shape if generation is None else shape | {"generation": generation}


def subchain(top: VolumeId, base: VolumeId, generation: int | None = None) -> JSON:
    shape: dict[str, JSON] = {
        "sd_id": top.domain,
        "img_id": top.image,
        "top_id": top.volume,
        "base_id": base.volume,
    }
    return shape if generation is None else shape | {"base_generation": generation}


def code(end: dict[str, JSON]) -> JSON:
    """The code of the error that a job failed with."""
    assert end["status"] == "failed"
    assert isinstance(end["error"], dict)
    return end["error"]["code"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[JobSite]:
    made = JobSite(tmp_path, QemuImg())
    yield made
    made.sdm.close()


def test_the_data_of_a_chain_is_copied_into_one_volume(site: JobSite) -> None:
    leaf = site.three()[-1]
    target = site.make(BASE, image=OTHER_IMAGE)
    end = site.do(
        lambda job: site.sdm.copy_data(job, endpoint(leaf), endpoint(target, 0), bitmaps=False)
    )
    job = str(end["id"])
    assert end == {
        "id": job,
        "status": "done",
        "job_type": "storage",
        "description": "copy_data",
        "progress": 100,
        "notify_time": end["notify_time"],
    }
    assert site.jobs.info()[job] == {key: end[key] for key in end if key != "notify_time"}
    assert site.is_whole(target)
    after = site.store.metadata(target)
    assert (after.legality, after.generation) == (Legality.LEGAL, 1)


def test_a_job_that_was_done_is_not_done_again(site: JobSite) -> None:
    source, target = site.make(BASE), site.make(LEAF, image=OTHER_IMAGE)
    copy = (endpoint(source), endpoint(target, 0))
    assert site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))["status"] == "done"
    before = site.store.metadata(target)
    assert code(site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))) == 911
    assert site.store.metadata(target) == before


def test_what_fails_after_it_began_stays_illegal(site: JobSite) -> None:
    chain = site.three()
    with site.store.path(chain[1]).open("r+b") as header:
        header.truncate(100)
    target = site.make(BASE, image=OTHER_IMAGE)
    copy = (endpoint(chain[-1]), endpoint(target))
    assert code(site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))) == 250
    after = site.store.metadata(target)
    assert (after.legality, after.generation) == (Legality.ILLEGAL, 0)
    assert code(site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))) == 227


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (lambda now: replace(now, legality=Legality.ILLEGAL), 227),
        (lambda now: replace(now, capacity=8 * MIB), 229),
        (lambda now: replace(now, parent=LEAF), 262),
    ],
)
def test_a_source_that_cannot_be_copied_leaves_the_target_as_it_was(
    site: JobSite, change: Callable[[object], object], number: int
) -> None:
    source, target = site.make(LEAF), site.make(BASE, image=OTHER_IMAGE)
    site.store.change_metadata(source, change)  # type: ignore[arg-type]
    before = site.store.metadata(target)
    copy = (endpoint(source), endpoint(target))
    assert code(site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))) == number
    assert site.store.metadata(target) == before


def test_a_template_is_not_written_to(site: JobSite) -> None:
    source, target = site.make(LEAF), site.make(BASE, image=OTHER_IMAGE)
    site.store.change_metadata(target, lambda now: replace(now, volume_type=VolumeType.SHARED))
    copy = (endpoint(source), endpoint(target))
    assert code(site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))) == 219


def test_what_the_source_is_based_on_is_not_written_to(site: JobSite) -> None:
    base, _, leaf = site.three()
    copy = (endpoint(leaf), endpoint(base))
    assert code(site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=False))) == 213
    assert site.is_whole(leaf)
    assert site.store.metadata(base).legality is Legality.LEGAL


def test_an_aborted_copy_ends_at_once_and_leaves_the_target_illegal(
    site: JobSite, tmp_path: Path
) -> None:
    slow = tmp_path / "qemu-img"
    slow.write_text('#!/bin/sh\necho "    (10.00/100%)\\r"\ntouch "$0.runs"\nexec sleep 600\n')
    slow.chmod(0o755)
    source, target = site.make(LEAF), site.make(BASE, image=OTHER_IMAGE)
    stuck = site.jobs_with(QemuImg(str(slow)))
    job = str(uuid.uuid4())
    stuck.copy_data(job, endpoint(source), endpoint(target), bitmaps=False)
    reached = threading.Event()
    while not Path(f"{slow}.runs").exists():
        assert not reached.wait(0.01)
    stuck.close(DEADLINE_S)
    assert site.wait(job)["status"] == "aborted"
    assert site.store.metadata(target).legality is Legality.ILLEGAL


@pytest.mark.parametrize("internal", [True, False])
def test_a_merge_in_its_three_steps(site: JobSite, internal: bool) -> None:
    base, middle, leaf = site.three()
    top, below = (middle, base) if internal else (leaf, middle)
    run(site.sdm.prepare_merge(subchain(top, below)))
    end = site.do(lambda job: site.sdm.merge(job, subchain(top, below, 0), bitmaps=False))
    assert end["status"] == "done"
    assert site.store.metadata(below).generation == 1
    run(site.sdm.finalize_merge(subchain(top, below)))

    assert site.store.metadata(top).legality is Legality.ILLEGAL
    run(site.images.delete_volumes(DOMAIN, IMAGE, [top.volume], force=False))
    assert site.images.volumes(DOMAIN, IMAGE) == sorted({BASE, MIDDLE, LEAF} - {top.volume})
    new_leaf = leaf if internal else middle
    assert site.is_whole(new_leaf)
    assert site.store.metadata(new_leaf).volume_type is VolumeType.LEAF
    assert site.store.metadata(leaf if internal else middle).parent == base.volume
    assert guest_data.is_clean(site.store.path(new_leaf))
    assert site.images.prepare(POOL, new_leaf)


def test_a_base_grows_before_a_larger_volume_is_merged_into_it(site: JobSite) -> None:
    base = site.make(BASE)
    top = site.make(LEAF, BASE, capacity=8 * MIB)
    site.write(top, 7, 6 * MIB)
    run(site.sdm.prepare_merge(subchain(top, base)))
    assert site.store.metadata(base).capacity == 8 * MIB
    assert site.store.path(base).stat().st_size == 8 * MIB
    site.do(lambda job: site.sdm.merge(job, subchain(top, base), bitmaps=False))
    assert site.holds(base, 7, 6 * MIB)


@pytest.mark.parametrize(
    ("top", "base", "number"),
    [(LEAF, BASE, 921), (MIDDLE, LEAF, 920), (BASE, MIDDLE, 920), (OTHER_IMAGE, BASE, 201)],
)
def test_only_a_volume_and_its_parent_are_merged(
    site: JobSite, top: str, base: str, number: int
) -> None:
    chain = site.three()
    pair = [replace(chain[0], volume=each) for each in (top, base)]
    before = [site.store.metadata(volume) for volume in chain]
    end = site.do(lambda job: site.sdm.merge(job, subchain(pair[0], pair[1]), bitmaps=False))
    assert code(end) == number
    for step in (site.sdm.prepare_merge, site.sdm.finalize_merge):
        with pytest.raises(errors.StorageError) as raised:
            run(step(subchain(pair[0], pair[1])))
        assert raised.value.code == number
    assert [site.store.metadata(volume) for volume in chain] == before


def test_bitmaps_are_added_merged_removed_and_cleared(site: JobSite) -> None:
    base, middle, leaf = site.three()
    add = site.sdm.add_bitmap
    assert site.do(lambda job: add(job, endpoint(middle, 0), "one"))["status"] == "done"
    assert code(site.do(lambda job: add(job, endpoint(leaf), "one"))) == 1620
    assert code(site.do(lambda job: add(job, endpoint(base), "one"))) == 202
    for name in ("two", "three", "-b"):
        assert site.do(lambda job, name=name: add(job, endpoint(leaf), name))["status"] == "done"
    run(site.sdm.prepare_merge(subchain(leaf, middle)))
    assert site.bitmaps(middle) == []  # nothing in the leaf continued it
    site.do(lambda job: site.sdm.merge(job, subchain(leaf, middle), bitmaps=True))
    assert site.bitmaps(middle) == ["-b", "three", "two"]
    for _ in range(2):
        end = site.do(lambda job: site.sdm.remove_bitmap(job, endpoint(middle), "two"))
        assert end["status"] == "done"
    assert site.bitmaps(middle) == ["-b", "three"]
    site.do(lambda job: site.sdm.clear_bitmaps(job, endpoint(middle)))
    assert site.bitmaps(middle) == []


def test_bitmaps_are_copied_when_that_was_asked_for(site: JobSite) -> None:
    source = site.three()[1]
    target = VolumeId(DOMAIN, OTHER_IMAGE, LEAF)
    new = NewVolume(capacity=4 * MIB, format=Format.COW, allocation=Allocation.SPARSE)
    site.store.create(InlineTask(), target, new)
    site.do(lambda job: site.sdm.add_bitmap(job, endpoint(source), "one"))
    copy = (endpoint(source), endpoint(target))
    assert site.do(lambda job: site.sdm.copy_data(job, *copy, bitmaps=True))["status"] == "done"
    assert site.bitmaps(target) == ["one"]


def test_a_header_is_amended(site: JobSite) -> None:
    base, middle, _ = site.three()
    amend = site.sdm.amend_volume
    end = site.do(lambda job: amend(job, endpoint(middle, 0), {"compat": "0.10"}))
    assert end["status"] == "done"
    assert site.qemu_img.info(Image(site.store.path(middle), Format.COW)).compat == "0.10"
    after = site.store.metadata(middle)
    assert (after.generation, after.legality) == (1, Legality.LEGAL)
    assert code(site.do(lambda job: amend(job, endpoint(base), {"compat": "1.1"}))) == 202
    assert code(site.do(lambda job: amend(job, endpoint(middle, 0), {"compat": "1.1"}))) == 911


def test_attributes_change_together_or_not_at_all(site: JobSite) -> None:
    base = site.make(BASE)
    update = site.sdm.update_volume
    wanted: JSON = {"legality": "ILLEGAL", "description": "new", "type": "SHARED", "generation": 7}
    assert site.do(lambda job: update(job, endpoint(base, 0), wanted))["status"] == "done"
    after = site.store.metadata(base)
    told = (after.legality, after.description, after.volume_type, after.generation)
    assert told == (Legality.ILLEGAL, "new", VolumeType.SHARED, 7)
    for attributes in ({"type": "SHARED"}, {"legality": "ILLEGAL", "description": "other"}):
        end = site.do(lambda job, wanted=attributes: update(job, endpoint(base, 7), wanted))
        assert code(end) == 235
    assert code(site.do(lambda job: update(job, endpoint(base, 0), {"description": "x"}))) == 911
    assert site.store.metadata(base) == after


def test_a_volume_is_made_by_a_job(site: JobSite) -> None:
    base = site.make(BASE)
    info: JSON = {
        "sd_id": DOMAIN,
        "img_id": IMAGE,
        "vol_id": LEAF,
        "virtual_size": 8 * MIB,
        "vol_format": "COW",
        "disk_type": "DATA",
        "description": "snapshot",
        "parent": {"img_id": IMAGE, "vol_id": BASE},
    }
    assert site.do(lambda job: site.sdm.create_volume(job, info))["status"] == "done"
    made = site.store.metadata(replace(base, volume=LEAF))
    told = (made.capacity, made.parent, made.description, made.legality)
    assert told == (8 * MIB, BASE, "snapshot", Legality.LEGAL)
    assert code(site.do(lambda job: site.sdm.create_volume(job, info))) == 212
    assert site.store.metadata(replace(base, volume=LEAF)) == made
