# SPDX-License-Identifier: GPL-2.0-or-later
"""Preparing images and tearing them down: answers, links, modes, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, OTHER, POOL
from storage.image_site import BASE, IMAGE, LEAF, MIDDLE, OTHER_IMAGE, ImageSite
from vdsm.storage import errors
from vdsm.storage.model import BLANK_UUID, MIB, Format, Legality, VolumeId, VolumeType


@pytest.fixture
def site(tmp_path: Path) -> ImageSite:
    return ImageSite(tmp_path)


def test_a_prepared_image_is_described_from_its_base_to_its_leaf(site: ImageSite) -> None:
    site.chain(IMAGE, BASE, LEAF)
    directory = site.directory_of(IMAGE)

    answer = site.images.prepare(POOL, VolumeId(DOMAIN, IMAGE, LEAF))

    link = site.data_center / POOL / DOMAIN / "images" / IMAGE
    assert answer == {
        "path": str(link / LEAF),
        "info": {"type": "file", "path": str(directory / LEAF)},
        "imgVolumesInfo": [
            {
                "domainID": DOMAIN,
                "imageID": IMAGE,
                "volumeID": volume,
                "path": str(directory / volume),
                "leasePath": str(directory / f"{volume}.lease"),
                "leaseOffset": 0,
            }
            for volume in (BASE, LEAF)
        ],
    }


def test_without_a_pool_the_path_is_the_link_below_run(site: ImageSite) -> None:
    (leaf,) = site.chain(IMAGE, LEAF)
    answer = site.images.prepare(BLANK_UUID, leaf)
    assert isinstance(answer, dict)
    path = Path(str(answer["path"]))
    assert path == site.links.path(DOMAIN, IMAGE) / LEAF
    assert path.resolve() == (site.directory_of(IMAGE) / LEAF).resolve()


def test_preparing_again_answers_the_same(site: ImageSite) -> None:
    (leaf,) = site.chain(IMAGE, LEAF)
    assert site.images.prepare(POOL, leaf) == site.images.prepare(POOL, leaf)


def test_a_link_to_where_the_domain_was_is_turned(site: ImageSite) -> None:
    (leaf,) = site.chain(IMAGE, LEAF)
    site.links.make(DOMAIN, IMAGE, Path("/rhev/data-center/mnt/old/images"))
    site.images.prepare(POOL, leaf)
    assert site.links.target(DOMAIN, IMAGE) == site.directory_of(IMAGE)


def test_the_volumes_of_a_template_are_those_linked_in_the_image(site: ImageSite) -> None:
    site.template(OTHER_IMAGE, BASE, IMAGE)
    leaf = site.volume(IMAGE, LEAF, BASE)
    answer = site.images.prepare(POOL, leaf)
    assert isinstance(answer, dict)
    assert isinstance(answer["imgVolumesInfo"], list)
    paths = [volume["path"] for volume in answer["imgVolumesInfo"] if isinstance(volume, dict)]
    assert paths == [str(site.directory_of(IMAGE) / volume) for volume in (BASE, LEAF)]


def test_the_group_may_do_what_the_owner_may(site: ImageSite) -> None:
    base, leaf = site.chain(IMAGE, BASE, LEAF)
    (site.directory_of(IMAGE) / BASE).chmod(0o400)
    (site.directory_of(IMAGE) / LEAF).chmod(0o600)
    site.images.prepare(POOL, leaf)
    modes = [(site.directory_of(IMAGE) / each.volume).stat().st_mode for each in (base, leaf)]
    assert [oct(mode & 0o777) for mode in modes] == ["0o440", "0o660"]


def test_a_capacity_that_is_too_small_is_repaired(site: ImageSite) -> None:
    base, leaf = site.chain(IMAGE, BASE, LEAF)
    site.headers.sizes[LEAF] = 7 * MIB
    site.domains.find(DOMAIN).files.truncate(f"images/{IMAGE}/{BASE}", 3 * MIB)
    site.images.prepare(POOL, leaf)
    assert site.store.metadata(leaf).capacity == 7 * MIB
    assert site.store.metadata(base).capacity == 3 * MIB


def test_a_template_is_never_written_to(site: ImageSite) -> None:
    template = site.template(OTHER_IMAGE, BASE, IMAGE)
    leaf = site.volume(IMAGE, LEAF, BASE)
    site.domains.find(DOMAIN).files.truncate(f"images/{OTHER_IMAGE}/{BASE}", 3 * MIB)
    site.images.prepare(POOL, leaf)
    assert site.store.metadata(template).capacity == MIB


@pytest.mark.parametrize("legality", [Legality.ILLEGAL, Legality.FAKE])
def test_an_illegal_volume_in_the_chain_is_refused_unless_it_was_asked_for(
    site: ImageSite, legality: Legality
) -> None:
    site.volume(IMAGE, BASE, kind=VolumeType.INTERNAL, legality=legality)
    leaf = site.volume(IMAGE, LEAF, BASE)
    with pytest.raises(errors.PrepareIllegalVolume, match=BASE):
        site.images.prepare(POOL, leaf)
    assert site.links.target(DOMAIN, IMAGE) is None
    assert site.images.prepare(POOL, leaf, allow_illegal=True)


def test_an_illegal_volume_that_is_not_in_the_chain_does_not_matter(site: ImageSite) -> None:
    base, _ = site.chain(IMAGE, BASE, MIDDLE)
    site.volume(IMAGE, LEAF, BASE, legality=Legality.ILLEGAL)
    assert site.images.prepare(POOL, base)


def test_a_volume_that_is_not_there(site: ImageSite) -> None:
    with pytest.raises(errors.VolumeDoesNotExist):
        site.images.prepare(POOL, VolumeId(DOMAIN, IMAGE, LEAF))
    site.chain(IMAGE, LEAF)
    with pytest.raises(errors.VolumeDoesNotExist):
        site.images.prepare(POOL, VolumeId(DOMAIN, OTHER_IMAGE, LEAF))


def test_a_domain_that_is_not_there(site: ImageSite) -> None:
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.images.prepare(POOL, VolumeId(OTHER, IMAGE, LEAF))


@pytest.mark.parametrize("parent", [LEAF, MIDDLE])
def test_a_loop_and_a_missing_parent_are_no_chain(site: ImageSite, parent: str) -> None:
    leaf = site.volume(IMAGE, LEAF, parent)
    with pytest.raises(errors.ImageIsNotLegalChain):
        site.images.prepare(POOL, leaf)


def test_a_parent_of_another_image_that_is_no_template_is_no_chain(site: ImageSite) -> None:
    site.volume(IMAGE, BASE, owner=OTHER_IMAGE)
    leaf = site.volume(IMAGE, LEAF, BASE)
    with pytest.raises(errors.ImageIsNotLegalChain):
        site.images.prepare(POOL, leaf)


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_what_is_no_file_is_not_prepared(site: ImageSite, tmp_path: Path, kind: str) -> None:
    leaf = site.volume(IMAGE, LEAF)
    path = site.directory_of(IMAGE) / LEAF
    path.unlink()
    secret = tmp_path / "secret"
    secret.write_text("not for guests")
    secret.chmod(0o600)
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(errors.VolumeAccessError, match="not a file"):
        site.images.prepare(POOL, leaf)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert site.links.target(DOMAIN, IMAGE) is None


def test_a_volume_without_its_data(site: ImageSite) -> None:
    leaf = site.volume(IMAGE, LEAF)
    (site.directory_of(IMAGE) / LEAF).unlink()
    with pytest.raises(errors.VolumeDoesNotExist):
        site.images.prepare(POOL, leaf)


def test_a_link_that_cannot_be_made_is_the_path_s_error(site: ImageSite, tmp_path: Path) -> None:
    leaf = site.volume(IMAGE, LEAF, format=Format.RAW)
    (tmp_path / "run").write_text("no directory")
    with pytest.raises(errors.ImagePathError):
        site.images.prepare(POOL, leaf)


def test_teardown_removes_the_link_once_and_again(site: ImageSite) -> None:
    (leaf,) = site.chain(IMAGE, LEAF)
    site.images.prepare(POOL, leaf)
    site.images.teardown(DOMAIN, IMAGE)
    assert site.links.target(DOMAIN, IMAGE) is None
    site.images.teardown(DOMAIN, IMAGE)
    assert site.store.metadata(leaf)


def test_teardown_needs_no_storage(site: ImageSite) -> None:
    (leaf,) = site.chain(IMAGE, LEAF)
    site.images.prepare(POOL, leaf)
    site.umount()
    site.domains.forget()
    site.images.teardown(DOMAIN, IMAGE)
    assert site.links.target(DOMAIN, IMAGE) is None
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.images.teardown(DOMAIN, IMAGE)


def test_leases_are_not_named_where_there_are_none(
    site: ImageSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (leaf,) = site.chain(IMAGE, LEAF)
    lock = type(site.domains.find(DOMAIN).lock)
    monkeypatch.setattr(lock, "supports_volume_leases", False)
    answer = site.images.prepare(POOL, leaf)
    assert "leasePath" not in str(answer)
