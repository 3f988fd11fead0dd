# SPDX-License-Identifier: GPL-2.0-or-later
"""Making, wiping and naming domains, also when it fails or is killed at any step."""

from __future__ import annotations

import errno
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, OTHER, POOL, DomainSite, Killed
from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import domain_metadata
from vdsm.storage.model import DomainClass, DomainMetadata, DomainStatus, Role
from vdsm_contract.errors import AccessDenied

MIB = 1 << 20


@pytest.fixture
def site(tmp_path: Path) -> DomainSite:
    return DomainSite(tmp_path)


def tree(path: Path) -> dict[str, tuple[str, int]]:
    """What is below a directory: its mode, and the size of a file."""
    return {
        str(found.relative_to(path)): (
            stat.filemode(found.stat().st_mode),
            found.stat().st_size if found.is_file() else 0,
        )
        for found in path.rglob("*")
    }


def attach(site: DomainSite, *pools: str) -> None:
    site.domains.find(DOMAIN).change_metadata(lambda found: replace(found, pools=pools))


# --- create ---------------------------------------------------------------------------------------


def test_a_local_domain_has_ovirts_files_and_modes(site: DomainSite) -> None:
    path = site.made()
    files = tree(path)
    metadata = files.pop("dom_md/metadata")
    assert metadata[0] == "-rw-rw----"
    assert files == {
        "dom_md": ("drwxrwxr-x", 0),
        "dom_md/ids": ("-rw-rw----", len("lockspace")),
        "dom_md/leases": ("-rw-rw----", 0),
        "dom_md/inbox": ("-rw-rw----", 16 * MIB),
        "dom_md/outbox": ("-rw-rw----", 16 * MIB),
        "images": ("drwxr-xr-x", 0),
    }
    assert [child.name for child in path.parent.iterdir()] == [DOMAIN]
    assert stat.filemode(path.stat().st_mode) == "drwxr-xr-x"


def test_the_metadata_of_a_new_domain_is_ovirts(site: DomainSite) -> None:
    path = site.made()
    assert domain_metadata.decode((path / "dom_md/metadata").read_bytes(), "") == DomainMetadata(
        uuid=DOMAIN,
        version=5,
        kind=DomainType.LOCALFS,
        role=Role.REGULAR,
        domain_class=DomainClass.DATA,
        description="data",
        remote_path="/data",
    )


def test_a_shared_domain_has_external_leases_since_version_4(site: DomainSite) -> None:
    nfs = {"kind": DomainType.NFS, "block_size": 512}
    site.mount("server:/v4", "nfs4")
    site.lifecycle.create(site.new(**nfs, remote_path="server:/v4", version=4))
    assert (site.path("server:/v4") / DOMAIN / "dom_md/xleases").read_text() == DOMAIN
    site.mount("server:/v3", "nfs")
    site.lifecycle.create(site.new(**nfs, uuid=OTHER, remote_path="server:/v3", version=3))
    assert not (site.path("server:/v3") / OTHER / "dom_md/xleases").exists()
    assert site.domains.uuids() == sorted([DOMAIN, OTHER])


def test_an_iso_domain_has_a_place_for_its_files(site: DomainSite) -> None:
    path = site.made(domain_class=DomainClass.ISO)
    assert (path / "images/11111111-1111-1111-1111-111111111111").is_dir()


def test_a_domain_exists_once(site: DomainSite) -> None:
    site.made()
    site.mount("/other")
    with pytest.raises(errors.StorageDomainAlreadyExists):
        site.lifecycle.create(site.new(remote_path="/other"))
    assert not list(site.path("/other").iterdir())


def test_a_domain_with_broken_metadata_exists(site: DomainSite) -> None:
    (site.made() / "dom_md/metadata").write_bytes(b"torn")
    site.mount("/other")
    with pytest.raises(errors.StorageDomainAlreadyExists):
        site.lifecycle.create(site.new(remote_path="/other"))


def test_a_mount_holds_one_domain(site: DomainSite) -> None:
    site.made()
    with pytest.raises(errors.StorageDomainNotEmpty):
        site.lifecycle.create(site.new(uuid=OTHER))
    assert site.domains.uuids() == [DOMAIN]


@pytest.mark.parametrize("remnant", ["anything/dom_md", f"{DOMAIN}/left"])
def test_a_mount_with_remnants_is_not_empty(site: DomainSite, remnant: str) -> None:
    mount = site.mount()
    (mount / remnant).mkdir(parents=True)
    with pytest.raises(errors.StorageDomainNotEmpty):
        site.lifecycle.create(site.new())
    assert list(tree(mount)) == [remnant.partition("/")[0], remnant]


def test_what_is_no_domain_may_be_beside_one(site: DomainSite) -> None:
    mount = site.mount()
    (mount / "lost+found").mkdir()
    (mount / "file").write_text("mine")
    site.lifecycle.create(site.new())
    assert (mount / "file").read_text() == "mine"


def test_nothing_is_made_on_what_is_not_mounted(site: DomainSite) -> None:
    site.path("/data").mkdir()
    with pytest.raises(errors.StorageDomainNotMounted):
        site.lifecycle.create(site.new())
    assert not list(site.path("/data").iterdir())


@pytest.mark.parametrize(
    ("kind", "path", "fs_type"),
    [(DomainType.NFS, "server:/export", "xfs"), (DomainType.LOCALFS, "/data", "nfs4")],
)
def test_the_type_is_that_of_the_mount(
    site: DomainSite, kind: DomainType, path: str, fs_type: str
) -> None:
    site.mount(path, fs_type)
    with pytest.raises(errors.StorageDomainTypeError):
        site.lifecycle.create(site.new(kind=kind, remote_path=path))


@pytest.mark.parametrize("user", ["vdsm", "qemu"])
def test_a_wrong_owner_is_refused(site: DomainSite, user: str) -> None:
    mount = site.mount()
    site.storage.fail_access[user] = AccessDenied(user, str(mount), "write")
    with pytest.raises(errors.StorageServerAccessError):
        site.lifecycle.create(site.new())
    assert not list(mount.iterdir())


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, errors.NoSpaceLeft),
        (errno.EROFS, errors.InsufficientPermissions),
        (errno.EIO, errors.StorageError),
    ],
)
def test_a_failure_at_any_step_leaves_nothing(
    site: DomainSite, number: int, error: type[errors.StorageError]
) -> None:
    mount = site.mount()
    steps = 1  # the first is the search for the domain, which a mount that fails has not
    while True:
        site.faults.fail_at(steps, number)
        try:
            site.lifecycle.create(site.new())
        except error:
            assert not list(mount.iterdir())
            steps += 1
        else:
            break
    assert steps > 10
    site.faults.mend()
    assert site.domains.find(DOMAIN).metadata().uuid == DOMAIN


def test_a_kill_at_any_step_leaves_no_domain_and_the_next_create_cleans_up(
    site: DomainSite,
) -> None:
    mount = site.mount()
    steps = 0
    while True:
        site.faults.kill_at(steps)
        try:
            site.lifecycle.create(site.new())
        except Killed:
            assert not (mount / DOMAIN).exists()
            steps += 1
        else:
            break
    assert steps > 10
    site.faults.mend()
    assert [child.name for child in mount.iterdir()] == [DOMAIN]
    assert site.domains.find(DOMAIN).metadata().uuid == DOMAIN


def test_a_lock_that_cannot_be_made_leaves_nothing(site: DomainSite) -> None:
    mount = site.mount()
    site.locks.broken = True
    with pytest.raises(errors.ClusterLockInitError):
        site.lifecycle.create(site.new())
    assert not list(mount.iterdir())


def test_storage_without_direct_io_is_refused(site: DomainSite) -> None:
    mount = site.mount()

    def fault(_root: Path, operation: str) -> None:
        if operation == "probe_block_size":
            raise OSError(errno.EINVAL, "Invalid argument")

    site.faults.fault = fault
    with pytest.raises(errors.StorageDomainTargetUnsupported):
        site.lifecycle.create(site.new())
    assert not list(mount.iterdir())


def test_blocks_that_are_not_the_storages_are_refused(site: DomainSite) -> None:
    mount = site.mount()
    found = site.filesystems.at(mount)
    found.create("probe")
    wrong = {512: 4096, 4096: 512}[found.probe_block_size("probe")]
    found.unlink("probe")
    with pytest.raises(errors.StorageDomainBlockSizeMismatch):
        site.lifecycle.create(site.new(block_size=wrong))
    assert not list(mount.iterdir())


# --- format ---------------------------------------------------------------------------------------


def test_a_wiped_domain_is_gone(site: DomainSite) -> None:
    path = site.made()
    site.domains.find(DOMAIN)
    (path.parent / "file").write_text("mine")
    site.lifecycle.format(DOMAIN, auto_detach=False)
    assert [child.name for child in path.parent.iterdir()] == ["file"]
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.domains.find(DOMAIN)
    with pytest.raises(errors.StorageDomainDoesNotExist):
        site.lifecycle.format(DOMAIN, auto_detach=False)


def test_an_attached_domain_is_wiped_only_on_demand(site: DomainSite) -> None:
    path = site.made()
    attach(site, POOL)
    with pytest.raises(errors.CannotFormatAttached):
        site.lifecycle.format(DOMAIN, auto_detach=False)
    assert path.is_dir()
    site.lifecycle.format(DOMAIN, auto_detach=True)
    assert not path.exists()


def test_a_domain_of_the_connected_pool_is_never_wiped(site: DomainSite) -> None:
    path = site.made()
    site.pools.pool, site.pools.members = POOL, {DOMAIN: DomainStatus.ATTACHED}
    with pytest.raises(errors.CannotFormatInConnectedPool):
        site.lifecycle.format(DOMAIN, auto_detach=True)
    assert path.is_dir()


@pytest.mark.parametrize("contents", [None, b"torn"])
def test_a_broken_domain_is_wiped(site: DomainSite, contents: bytes | None) -> None:
    path = site.made()
    (path / "dom_md/metadata").unlink()
    if contents is not None:
        (path / "dom_md/metadata").write_bytes(contents)
    site.lifecycle.format(DOMAIN, auto_detach=False)
    assert not path.exists()


def test_a_domain_of_a_later_version_is_not_wiped(site: DomainSite) -> None:
    metadata = site.made() / "dom_md/metadata"
    metadata.write_bytes(
        domain_metadata.encode(
            replace(domain_metadata.decode(metadata.read_bytes(), ""), version=6)
        )
    )
    with pytest.raises(errors.UnsupportedDomainVersion):
        site.lifecycle.format(DOMAIN, auto_detach=False)
    assert metadata.exists()


def test_links_in_a_domain_are_removed_and_not_followed(site: DomainSite, tmp_path: Path) -> None:
    path = site.made()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    (path / "images/link").symlink_to(tmp_path / "mine")
    site.lifecycle.format(DOMAIN, auto_detach=False)
    assert (tmp_path / "mine/file").read_text() == "mine"


def test_a_kill_at_any_step_of_a_wipe_leaves_all_of_the_domain_or_none(site: DomainSite) -> None:
    steps = 0
    while True:
        site.faults.mend()
        if not site.domains.uuids():
            site.made()
        site.faults.kill_at(steps)
        try:
            site.lifecycle.format(DOMAIN, auto_detach=False)
        except Killed:
            site.faults.mend()
            if site.domains.uuids():
                assert site.domains.find(DOMAIN).files.exists("images")
            steps += 1
        else:
            break
    assert steps > 3
    assert not list(site.path("/data").iterdir())


def test_a_domain_that_cannot_be_renamed_stays(site: DomainSite) -> None:
    path = site.made()

    def fault(_root: Path, operation: str) -> None:
        if operation == "rename":
            raise OSError(errno.EROFS, "Read-only file system")

    site.faults.fault = fault
    with pytest.raises(errors.StorageDomainFormatError, match="Read-only"):
        site.lifecycle.format(DOMAIN, auto_detach=False)
    assert (path / "dom_md/metadata").exists()


# --- setDescription -------------------------------------------------------------------------------


def test_the_spm_names_a_domain(site: DomainSite) -> None:
    site.made()
    attach(site, POOL)
    site.pools.pool, site.pools.members = POOL, {DOMAIN: DomainStatus.ACTIVE}
    with pytest.raises(errors.SpmStatusError):
        site.lifecycle.set_description(DOMAIN, "new")
    site.pools.spm = True
    site.lifecycle.set_description(DOMAIN, "neu für alle")
    assert site.domains.find(DOMAIN).metadata().description == "neu für alle"


def test_a_domain_in_no_pool_or_in_another_one_is_not_named(site: DomainSite) -> None:
    site.made()
    site.pools.pool, site.pools.spm = OTHER, True
    with pytest.raises(errors.StorageDomainNotInPool):
        site.lifecycle.set_description(DOMAIN, "new")
    attach(site, POOL)
    with pytest.raises(errors.StoragePoolUnknown):
        site.lifecycle.set_description(DOMAIN, "new")
    site.pools.pool = POOL
    with pytest.raises(errors.StorageDomainNotMemberOfPool):
        site.lifecycle.set_description(DOMAIN, "new")
    assert site.domains.find(DOMAIN).metadata().description == "data"
