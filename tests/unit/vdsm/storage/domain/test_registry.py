# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding domains on mounts: what is remembered, what is gone, and who holds up nobody."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, OTHER, POOL, DomainSite
from vdsm.storage import errors, side_by_side
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import domain_metadata
from vdsm.storage.model import DomainClass


@pytest.fixture
def site(tmp_path: Path) -> DomainSite:
    return DomainSite(tmp_path)


def test_a_domain_is_found_with_what_it_is(site: DomainSite) -> None:
    path = site.made(name="mine")
    site.mount("/empty")
    domain = site.domains.find(DOMAIN)
    assert (domain.uuid, domain.mount, domain.path) == (DOMAIN, path.parent, path)
    assert (domain.kind, domain.version) == (DomainType.LOCALFS, 5)
    assert domain.metadata().description == "mine"
    assert domain.files.exists("dom_md/metadata")
    assert site.domains.uuids() == [DOMAIN]


@pytest.mark.parametrize("version", [0, 2, 3, 4, 5])
def test_domains_of_all_versions_are_read_and_changed(site: DomainSite, version: int) -> None:
    metadata = site.made() / "dom_md/metadata"
    old = domain_metadata.decode(metadata.read_bytes(), "")
    old = replace(old, version=version, block_size=512)
    metadata.write_bytes(domain_metadata.encode(old))
    domain = site.domains.find(DOMAIN)
    assert domain.version == version
    assert domain.change_metadata(lambda found: replace(found, description="new")) == replace(
        old, description="new"
    )


def test_a_domain_of_an_unknown_version_is_refused(site: DomainSite) -> None:
    metadata = site.made() / "dom_md/metadata"
    old = domain_metadata.decode(metadata.read_bytes(), "")
    metadata.write_bytes(domain_metadata.encode(replace(old, version=6)))
    with pytest.raises(errors.UnsupportedDomainVersion, match=str(metadata)):
        site.domains.find(DOMAIN)


def test_a_domain_is_searched_once(site: DomainSite) -> None:
    site.made()
    found = site.domains.find(DOMAIN)
    searched: list[str] = []
    site.faults.fault = lambda _root, operation: searched.append(operation)
    assert site.domains.find(DOMAIN) is found
    assert searched == ["exists"]


@pytest.mark.parametrize("uuid", [OTHER, "", ".", "..", "../data", "a/b", DOMAIN.upper(), "\0"])
def test_what_is_no_domain_is_not_found(site: DomainSite, uuid: str) -> None:
    site.made()
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(uuid)


def test_a_domain_that_was_removed_or_unmounted_is_gone(site: DomainSite) -> None:
    path = site.made()
    site.domains.find(DOMAIN)
    site.umount()
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(DOMAIN)
    site.mount()
    site.domains.find(DOMAIN)
    shutil.rmtree(path)
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(DOMAIN)


def test_a_domain_is_found_anew_after_another_mount(site: DomainSite) -> None:
    site.made()
    found = site.domains.find(DOMAIN)
    site.umount()
    site.mount()
    assert site.domains.find(DOMAIN) is not found


def test_a_domain_can_be_forgotten(site: DomainSite) -> None:
    site.made()
    found = site.domains.find(DOMAIN)
    site.domains.forget(OTHER)
    assert site.domains.find(DOMAIN) is found
    site.domains.forget(DOMAIN)
    again = site.domains.find(DOMAIN)
    assert again is not found
    site.domains.forget()
    assert site.domains.find(DOMAIN) is not again


@pytest.fixture
def dead(site: DomainSite) -> Iterator[Path]:
    """Beside a domain, a mount that answers nobody until the test is over."""
    site.made()
    path = site.mount("/a-dead-one")
    end = threading.Event()

    def fault(root: Path, _operation: str) -> None:
        if root == path:
            end.wait(60)
            raise errors.StorageDomainAccessError(str(root))

    site.faults.fault = fault
    yield path
    end.set()


def test_a_dead_mount_holds_up_no_search_on_another_one(site: DomainSite, dead: Path) -> None:
    assert site.domains.find(DOMAIN).mount != dead


def test_whoever_has_no_patience_waits_for_no_dead_mount(site: DomainSite, dead: Path) -> None:
    assert dead.is_dir()
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.locate(OTHER, patience_s=0.1)
    assert site.domains.locate(DOMAIN, patience_s=30).files.root.name == DOMAIN


def test_a_mount_that_fails_is_left_out(site: DomainSite) -> None:
    site.made()
    broken = site.mount("/broken")

    def fault(root: Path, _operation: str) -> None:
        if root == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    site.faults.fault = fault
    assert site.domains.uuids() == [DOMAIN]
    assert site.domains.find(DOMAIN).uuid == DOMAIN
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(OTHER)


def test_a_link_in_place_of_a_domain_or_its_dom_md_is_not_followed(site: DomainSite) -> None:
    path = site.made()
    mount = site.mount("/evil")
    (mount / OTHER).symlink_to(path)
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(OTHER)
    (mount / OTHER).unlink()
    (mount / OTHER).mkdir()
    (mount / OTHER / "dom_md").symlink_to(path / "dom_md")
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(OTHER)
    assert site.domains.uuids() == [DOMAIN]


def test_a_link_in_place_of_the_metadata_is_not_followed(site: DomainSite) -> None:
    path = site.made()
    (path / "dom_md/metadata").rename(path / "elsewhere")
    (path / "dom_md/metadata").symlink_to(path / "elsewhere")
    with pytest.raises(errors.InvalidParameter):
        site.domains.find(DOMAIN)


@pytest.mark.parametrize(
    ("contents", "error"),
    [
        (None, errors.StorageDomainMetadataNotFound),
        (b"", errors.MetadataSealIsBroken),
        (b"VERSION=5\n", errors.MetadataSealIsBroken),
        (bytes(2 << 20), errors.FileReadError),
    ],
)
def test_metadata_that_is_missing_or_torn_is_named(
    site: DomainSite, contents: bytes | None, error: type[errors.StorageError]
) -> None:
    metadata = site.made() / "dom_md/metadata"
    if contents is None:
        metadata.unlink()
    else:
        metadata.write_bytes(contents)
    with pytest.raises(error, match=str(metadata)):
        site.domains.find(DOMAIN)
    if contents is not None:
        assert metadata.read_bytes() == contents


def test_the_metadata_of_another_domain_is_refused(site: DomainSite) -> None:
    path = site.made()
    path.rename(path.with_name(OTHER))
    with pytest.raises(errors.MetadataValidationError, match=DOMAIN):
        site.domains.find(OTHER)


def test_metadata_is_changed_as_one_step_by_many(site: DomainSite) -> None:
    site.made(domain_class=DomainClass.ISO)
    pools = [f"{number:08x}-626e-47cb-ad90-3ce782d831b3" for number in range(20)]

    def add(pool: str) -> None:
        # Each finds the domain for itself, as the calls of an engine do.
        site.domains.forget()
        domain = site.domains.find(DOMAIN)
        domain.change_metadata(lambda found: replace(found, pools=(*found.pools, pool)))

    side_by_side.each(add, pools, 8)
    assert sorted(site.domains.find(DOMAIN).metadata().pools) == pools


def test_metadata_that_does_not_change_is_not_written(site: DomainSite) -> None:
    metadata = site.made() / "dom_md/metadata"
    before = metadata.stat()
    site.domains.find(DOMAIN).change_metadata(lambda found: found)
    assert metadata.stat().st_ino == before.st_ino


def test_a_change_that_is_refused_changes_nothing(site: DomainSite) -> None:
    metadata = site.made() / "dom_md/metadata"
    before = metadata.read_bytes()
    domain = site.domains.find(DOMAIN)

    with pytest.raises(errors.MetadataValidationError):
        domain.change_metadata(lambda found: replace(found, description="two\nlines"))
    assert metadata.read_bytes() == before
    assert domain.change_metadata(lambda found: replace(found, pools=(POOL,))).pools == (POOL,)
    assert domain_metadata.decode(metadata.read_bytes(), "").pools == (POOL,)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, errors.NoSpaceLeft),
        (errno.EDQUOT, errors.NoSpaceLeft),
        (errno.EROFS, errors.InsufficientPermissions),
        (errno.EACCES, errors.InsufficientPermissions),
        (errno.ESTALE, errors.StaleNfsHandle),
        (errno.EIO, errors.FileWriteError),
    ],
)
def test_metadata_that_cannot_be_written_stays(
    site: DomainSite, number: int, error: type[errors.StorageError]
) -> None:
    metadata = site.made() / "dom_md/metadata"
    domain = site.domains.find(DOMAIN)
    before = metadata.read_bytes()
    site.faults.fail_at(1, number)
    with pytest.raises(error, match=str(metadata)):
        domain.change_metadata(lambda found: replace(found, pools=(POOL,)))
    assert metadata.read_bytes() == before


def test_only_an_iso_domain_holds_no_images(site: DomainSite) -> None:
    site.made()
    site.domains.find(DOMAIN).refuse_unless_data()
    site.made(uuid=OTHER, remote_path="/iso", domain_class=DomainClass.ISO)
    with pytest.raises(errors.ImagesNotSupported):
        site.domains.find(OTHER).refuse_unless_data()
