# SPDX-License-Identifier: GPL-2.0-or-later
"""Images with real workers and the real qemu-img: what a machine would read, before and after."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from storage import guest_data
from storage.data_site import DataSite
from storage.domain_site import DOMAIN, OTHER, POOL, Killed
from storage.image_site import (
    BASE,
    IMAGE,
    LEAF,
    MIDDLE,
    OTHER_IMAGE,
    InlineTask,
    run,
)
from vdsm.storage import errors
from vdsm.storage.image.copying import Operation, Place, Sync
from vdsm.storage.model import (
    GIB,
    MIB,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeType,
)
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.volume.qemu_img import Backing

PLACE = Place(image=IMAGE, source=DOMAIN, target=OTHER)


class RealSite(DataSite):
    """Two domains."""

    def __init__(self, root: Path, filesystems: WorkerFileSystems | None) -> None:
        super().__init__(root, filesystems)
        self.path_of_other = self.made(uuid=OTHER, remote_path="/other")


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerFileSystems]:
    filesystems = WorkerFileSystems()
    yield filesystems
    filesystems.close()


@pytest.fixture
def site(tmp_path: Path, workers: WorkerFileSystems) -> RealSite:
    return RealSite(tmp_path, workers)


def on(domain: str, volume: VolumeId) -> VolumeId:
    return replace(volume, domain=domain)


def test_what_was_written_is_read_through_the_prepared_path(site: RealSite) -> None:
    leaf = site.three()[-1]
    answer = site.images.prepare("00000000-0000-0000-0000-000000000000", leaf)
    assert isinstance(answer, dict)
    path = str(answer["path"])
    assert path.startswith(str(site.links.path(DOMAIN, IMAGE)))
    for pattern in (1, 2, 3):
        assert guest_data.holds(Path(path), Format.COW, pattern, (pattern - 1) * MIB)
    site.images.teardown(DOMAIN, IMAGE)
    assert not Path(path).parent.exists()


def test_a_copied_image_is_the_same_on_the_other_domain(site: RealSite) -> None:
    chain = site.three()
    task = run(site.images.move(PLACE, Operation.COPY, force=False))
    copies = [on(OTHER, volume) for volume in chain]
    assert site.is_whole(copies[-1])
    assert site.is_whole(chain[-1])
    assert [guest_data.is_clean(site.store.path(volume)) for volume in copies[1:]] == [True, True]
    for volume, copy in zip(chain, copies, strict=True):
        expected = replace(site.store.metadata(volume), domain=OTHER)
        assert replace(site.store.metadata(copy), ctime=expected.ctime) == expected
    assert task.recoveries == []


def test_a_moved_image_is_only_on_the_other_domain(site: RealSite) -> None:
    leaf = site.three()[-1]
    run(site.images.move(PLACE, Operation.MOVE, force=False))
    assert site.is_whole(on(OTHER, leaf))
    assert site.names() == []


def test_an_image_that_is_there_is_overwritten_when_it_is_forced(site: RealSite) -> None:
    leaf = site.three()[-1]
    run(site.images.move(PLACE, Operation.COPY, force=False))
    site.write(leaf, 9, 3 * MIB)
    with pytest.raises(errors.OverwriteImageError):
        run(site.images.move(PLACE, Operation.COPY, force=False))
    assert site.is_whole(on(OTHER, leaf))
    run(site.images.move(PLACE, Operation.COPY, force=True))
    assert site.holds(on(OTHER, leaf), 9, 3 * MIB)


def test_a_preallocated_volume_is_preallocated_after_a_copy(site: RealSite) -> None:
    made = site.make(BASE, allocation=Allocation.PREALLOCATED)
    site.write(made, 5, MIB)
    run(site.images.move(PLACE, Operation.COPY, force=False))
    copy = on(OTHER, made)
    assert site.store.path(copy).stat().st_blocks * 512 >= 4 * MIB
    assert site.holds(copy, 5, MIB)
    assert site.store.metadata(copy).allocation is Allocation.PREALLOCATED


def test_holes_stay_holes(site: RealSite) -> None:
    made = site.make(BASE, capacity=GIB)
    site.write(made, 5, 512 * MIB)
    run(site.images.move(PLACE, Operation.COPY, force=False))
    stat = site.store.path(on(OTHER, made)).stat()
    assert stat.st_size == GIB
    assert stat.st_blocks * 512 < 16 * MIB


def test_an_image_of_a_template_is_moved_to_where_the_template_is(site: RealSite) -> None:
    template = site.make(BASE, image=OTHER_IMAGE)
    site.write(template, 1, 0, 4 * MIB)
    site.store.change_metadata(template, lambda now: replace(now, volume_type=VolumeType.SHARED))
    leaf = site.make(LEAF, BASE, base_image=OTHER_IMAGE)
    site.write(leaf, 3, 2 * MIB)
    with pytest.raises(errors.ImageDoesNotExist, match=BASE):
        site.images.move(PLACE, Operation.MOVE, force=False)
    with pytest.raises(errors.MoveTemplateImageError):
        site.images.move(replace(PLACE, image=OTHER_IMAGE), Operation.COPY, force=False)
    run(site.images.delete(DOMAIN, IMAGE))
    run(site.images.move(replace(PLACE, image=OTHER_IMAGE), Operation.COPY, force=False))
    assert site.store.metadata(on(OTHER, template)).volume_type is VolumeType.SHARED

    leaf = site.make(LEAF, BASE, base_image=OTHER_IMAGE)
    site.write(leaf, 3, 2 * MIB)
    run(site.images.move(PLACE, Operation.MOVE, force=False))
    assert site.holds(on(OTHER, leaf), 3, 2 * MIB)
    assert site.holds(on(OTHER, leaf), 1, 3 * MIB)
    assert guest_data.is_clean(site.store.path(on(OTHER, leaf)))


def test_a_structure_is_cloned_and_filled_in_two_steps(site: RealSite) -> None:
    leaf = site.three()[-1]
    run(site.images.clone_structure(PLACE))
    copy = on(OTHER, leaf)
    assert site.holds(copy, 0, 0, 4 * MIB)
    run(site.images.sync_data(PLACE, Sync.INTERNAL))
    assert site.holds(copy, 1, 0)
    assert site.holds(copy, 1, 2 * MIB)
    run(site.images.sync_data(PLACE, Sync.LEAF))
    assert site.is_whole(copy)


def test_another_structure_is_not_filled(site: RealSite) -> None:
    site.three()
    with pytest.raises(errors.DestinationImageError):
        run(site.images.sync_data(PLACE, Sync.ALL))
    assert list((site.path_of_other / "images").iterdir()) == []


def test_a_copy_that_fails_is_illegal_until_it_is_removed(site: RealSite) -> None:
    chain = site.three()
    with site.store.path(chain[1]).open("r+b") as header:
        header.truncate(100)
    task = InlineTask()
    with pytest.raises(errors.CopyImageError):
        run(site.images.move(PLACE, Operation.MOVE, force=False), task)
    copy = on(OTHER, chain[-1])
    assert site.store.metadata(copy).legality is Legality.ILLEGAL
    with pytest.raises(errors.PrepareIllegalVolume):
        site.images.prepare(POOL, copy)
    site.recoveries.undo(task)
    assert list((site.path_of_other / "images").iterdir()) == []
    assert site.images.volumes(DOMAIN, IMAGE) == [BASE, MIDDLE, LEAF]


def test_an_aborted_copy_is_undone(site: RealSite) -> None:
    site.three()
    task = InlineTask(aborted=True)
    with pytest.raises(errors.TaskAborted):
        run(site.images.move(PLACE, Operation.COPY, force=False), task)
    site.recoveries.undo(task)
    assert list((site.path_of_other / "images").iterdir()) == []


def moving(root: Path, kill_at: int) -> tuple[RealSite, VolumeId, InlineTask, int]:
    """A move that is killed at an operation on files; how many it began."""
    root.mkdir()
    site = RealSite(root, None)
    leaf = site.make(LEAF)
    job = site.images.move(PLACE, Operation.MOVE, force=False)
    task = InlineTask()
    done = 0

    def fault(_root: Path, _operation: str) -> None:
        nonlocal done
        if done == kill_at:
            raise Killed
        done += 1

    site.faults.fault = fault
    with suppress(Killed):
        job(task)
    site.faults.mend()
    return site, leaf, task, done


def test_a_move_that_is_killed_leaves_the_image_on_one_domain_or_whole_on_both(
    tmp_path: Path,
) -> None:
    *_, total = moving(tmp_path / "whole", -1)
    ended = set()
    # Every fifth, and all at the end, where the source goes.
    for step in sorted({*range(0, total, 5), *range(total - 8, total)}):
        site, leaf, task, _ = moving(tmp_path / str(step), step)
        site.recoveries.undo(task)
        there = [bool(site.images.volumes(domain, IMAGE)) for domain in (DOMAIN, OTHER)]
        assert any(there)
        ended.add(tuple(there))
        if there[1]:
            assert site.store.metadata(on(OTHER, leaf)).legality is Legality.LEGAL
        names = site.names() + [each.name for each in (site.path_of_other / "images").iterdir()]
        assert set(names) == {IMAGE}
    assert {(True, False), (False, True)} <= ended


def test_a_chain_that_a_merge_left_is_reconciled(site: RealSite) -> None:
    _, middle, leaf = site.three()
    site.qemu_img.rebase(site.store.path(leaf), Backing(BASE, Format.RAW)).run_checked()
    assert site.images.reconcile(leaf) == [BASE, LEAF]
    assert site.store.metadata(leaf).parent == BASE
    assert site.is_whole(leaf)
    run(site.images.delete_volumes(DOMAIN, IMAGE, [middle.volume], force=False))
    assert site.is_whole(leaf)


def test_a_leaf_that_was_merged_is_out_of_the_chain(site: RealSite) -> None:
    _, middle, leaf = site.three()
    site.store.change_metadata(leaf, lambda now: replace(now, legality=Legality.ILLEGAL))
    assert site.images.reconcile(leaf) == [BASE, MIDDLE]
    assert site.store.metadata(middle).parent == BASE


def test_a_chain_that_is_right_stays_as_it_is(site: RealSite) -> None:
    chain = site.three()
    before = [site.store.metadata(volume) for volume in chain]
    assert site.images.reconcile(chain[-1]) == [BASE, MIDDLE, LEAF]
    assert [site.store.metadata(volume) for volume in chain] == before


def rebase(volume: Path, backing: str) -> None:
    """Changes what a header says, as somebody else would."""
    argv = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", backing]
    subprocess.run([*argv, str(volume)], check=True, timeout=60)


LEADING_OUT = ["../../../../etc/passwd", "/etc/passwd", "nbd://203.0.113.1/disk"]


@pytest.mark.parametrize("backing", [LEAF, *LEADING_OUT])
def test_a_header_that_leads_back_or_out_is_refused(site: RealSite, backing: str) -> None:
    chain = site.three()
    before = [site.store.metadata(volume) for volume in chain]
    rebase(site.store.path(chain[1]), backing)
    with pytest.raises(errors.ImageIsNotLegalChain):
        site.images.reconcile(chain[-1])
    assert [site.store.metadata(volume) for volume in chain] == before


@pytest.mark.parametrize("backing", LEADING_OUT)
def test_an_image_whose_header_leads_out_is_not_prepared(site: RealSite, backing: str) -> None:
    chain = site.three()
    path = site.store.path(chain[1])
    rebase(path, backing)
    path.chmod(0o600)
    with pytest.raises(errors.ImageIsNotLegalChain, match="names a file of elsewhere"):
        site.images.prepare(POOL, chain[-1])
    assert path.stat().st_mode & 0o777 == 0o600
    assert site.links.target(DOMAIN, IMAGE) is None
    rebase(path, BASE)
    assert site.images.prepare(POOL, chain[-1])
