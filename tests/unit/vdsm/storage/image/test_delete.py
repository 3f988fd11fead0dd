# SPDX-License-Identifier: GPL-2.0-or-later
"""Deleting images: what is refused, what a kill leaves, and who goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, OTHER, Killed
from storage.image_site import BASE, IMAGE, LEAF, OTHER_IMAGE, ImageSite, InlineTask, run
from vdsm.storage import errors
from vdsm.storage.model import BLANK_UUID, VolumeType
from vdsm.storage.protocols import Resource

HIDDEN = f"_remove_me_{IMAGE}"


@pytest.fixture
def site(tmp_path: Path) -> ImageSite:
    return ImageSite(tmp_path)


def test_a_deleted_image_leaves_nothing(site: ImageSite) -> None:
    site.chain(IMAGE, BASE, LEAF)
    site.chain(OTHER_IMAGE, BASE)
    task = run(site.images.delete(DOMAIN, IMAGE))
    assert site.names() == [OTHER_IMAGE]
    assert task.recoveries == []


def test_an_image_that_is_not_there_is_refused_before_there_is_a_task(site: ImageSite) -> None:
    with pytest.raises(errors.ImageDoesNotExist):
        site.images.delete(DOMAIN, IMAGE)
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.images.delete(OTHER, IMAGE)


def test_an_image_that_went_meanwhile_is_the_task_s_error(site: ImageSite) -> None:
    site.chain(IMAGE, LEAF)
    first, second = site.images.delete(DOMAIN, IMAGE), site.images.delete(DOMAIN, IMAGE)
    run(first)
    with pytest.raises(errors.ImageDoesNotExist):
        run(second)


def test_a_template_is_deleted_after_the_images_that_use_it(site: ImageSite) -> None:
    site.template(OTHER_IMAGE, BASE, IMAGE)
    site.volume(IMAGE, LEAF, BASE)
    with pytest.raises(errors.CannotDeleteSharedVolume, match=IMAGE):
        site.images.delete(DOMAIN, OTHER_IMAGE)
    run(site.images.delete(DOMAIN, IMAGE))
    assert (site.directory_of(OTHER_IMAGE) / BASE).exists()
    run(site.images.delete(DOMAIN, OTHER_IMAGE))
    assert site.names() == []


def test_an_image_that_is_being_removed_uses_no_template(site: ImageSite) -> None:
    site.template(OTHER_IMAGE, BASE, IMAGE)
    site.directory_of(IMAGE).rename(site.directory_of(HIDDEN))
    run(site.images.delete(DOMAIN, OTHER_IMAGE))


def test_an_image_with_broken_metadata_can_be_deleted(site: ImageSite) -> None:
    site.chain(IMAGE, LEAF)
    (site.directory_of(IMAGE) / f"{LEAF}.meta").write_text("NONE=1\nEOF\n")
    run(site.images.delete(DOMAIN, IMAGE))
    assert site.names() == []


def test_an_older_image_of_that_id_is_removed_first(site: ImageSite) -> None:
    site.chain(IMAGE, BASE)
    site.directory_of(IMAGE).rename(site.directory_of(HIDDEN))
    site.chain(IMAGE, LEAF)
    run(site.images.delete(DOMAIN, IMAGE))
    assert site.names() == []


def test_a_deletion_that_is_killed_anywhere_is_finished_or_never_began(tmp_path: Path) -> None:
    seen = set()
    for step in range(200):
        root = tmp_path / str(step)
        root.mkdir()
        site = ImageSite(root)
        site.chain(IMAGE, BASE, LEAF)
        job = site.images.delete(DOMAIN, IMAGE)
        site.faults.kill_at(step)
        task = InlineTask()
        try:
            job(task)
        except Killed:
            site.faults.mend()
            seen.add(bool(task.recoveries))
        else:
            break
        site.recoveries.undo(task)
        assert site.names() in ([], [IMAGE])
        if site.names():
            assert site.images.volumes(DOMAIN, IMAGE) == [BASE, LEAF]
    assert seen == {False, True}


def test_what_another_host_left_is_found_and_removed(site: ImageSite) -> None:
    site.chain(IMAGE, BASE)
    site.chain(OTHER_IMAGE, LEAF)
    site.directory_of(IMAGE).rename(site.directory_of(HIDDEN))
    site.directory_of("_remove_me_no-uuid").mkdir()
    assert site.images.finish_removals(DOMAIN) == [IMAGE]
    assert site.names() == [OTHER_IMAGE, "_remove_me_no-uuid"]
    assert site.images.finish_removals(DOMAIN) == []


def test_a_new_spm_removes_what_was_left_and_waits_for_nobody(site: ImageSite) -> None:
    site.chain(IMAGE, BASE)
    site.directory_of(IMAGE).rename(site.directory_of(HIDDEN))
    with site.resources.holding(Resource.image(DOMAIN, IMAGE)):
        site.images.sweep([OTHER, DOMAIN])
        assert site.names() == [HIDDEN]
    removed = threading.Event()
    while site.names():
        assert not removed.wait(0.01)


def test_volumes_of_an_image_and_of_a_domain(site: ImageSite) -> None:
    site.chain(IMAGE, BASE, LEAF)
    site.volume(OTHER_IMAGE, "41111111-2222-4333-8444-555555555555", kind=VolumeType.SHARED)
    assert site.images.volumes(DOMAIN, IMAGE) == [BASE, LEAF]
    everything = [BASE, LEAF, "41111111-2222-4333-8444-555555555555"]
    assert site.images.volumes(DOMAIN, BLANK_UUID) == everything
    assert site.images.volumes(DOMAIN, "51111111-2222-4333-8444-555555555555") == []
