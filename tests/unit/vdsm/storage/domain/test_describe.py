# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API says of a domain, in oVirt's words and types."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, POOL, DomainSite
from unit.vdsm.fakes import FakeStorage
from vdsm.storage import errors
from vdsm.storage.domain import describe, dump
from vdsm.storage.domain.dump import Dumps
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import volume_metadata, xleases
from vdsm.storage.model import (
    BLANK_UUID,
    Allocation,
    DomainClass,
    Format,
    Legality,
    VolumeMetadata,
    VolumeType,
)
from vdsm_contract.types import SanlockDump, SanlockLease

IMAGE = "11d0e6f2-7c3f-4d0d-8f3e-5a6b7c8d9e0f"
VOLUME = "22e1f7a3-8d4a-4e1e-9a4f-6b7c8d9e0f1a"
BROKEN = "33f2a8b4-9e5b-4f2f-8b5a-7c8d9e0f1a2b"


@pytest.fixture
def site(tmp_path: Path) -> DomainSite:
    return DomainSite(tmp_path)


def test_a_domain_is_described_as_ovirt_does(site: DomainSite) -> None:
    site.mount("server:/my_data/vms", "nfs4")
    site.lifecycle.create(
        site.new(kind=DomainType.NFS, remote_path="server:/my_data/vms", block_size=512)
    )
    domain = site.domains.find(DOMAIN)
    domain.change_metadata(lambda found: replace(found, pools=(POOL,)))
    assert describe.info(domain) == {
        "uuid": DOMAIN,
        "type": "NFS",
        "class": "Data",
        "name": "data",
        "role": "Regular",
        "pool": [POOL],
        "version": "5",
        "block_size": 512,
        "alignment": 1048576,
        "remotePath": "server:/my_data/vms",
    }


@pytest.mark.parametrize("said", ["old:/path", "", "../..", "x" * 2000])
def test_what_is_mounted_is_told_by_the_mount_when_the_metadata_says_otherwise(
    site: DomainSite, said: str
) -> None:
    site.made(remote_path="/my_data/vms")
    domain = site.domains.find(DOMAIN)
    domain.change_metadata(lambda found: replace(found, remote_path=said))
    assert describe.info(domain)["remotePath"] == "/my_data/vms"


def test_space_is_told_in_strings_of_bytes(site: DomainSite) -> None:
    path = site.made()
    stats = describe.stats(site.domains.find(DOMAIN))
    space = os.statvfs(path)
    assert stats["disktotal"] == str(space.f_frsize * space.f_blocks)
    assert isinstance(stats["diskfree"], str)
    assert 0 < int(stats["diskfree"]) <= int(str(stats["disktotal"]))
    rest = {key: stats[key] for key in stats if not key.startswith("disk")}
    assert rest == {"mdavalid": True, "mdathreshold": True, "mdasize": 0, "mdafree": 0}


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ESTALE, errors.StaleNfsHandle),
        (errno.EIO, errors.StorageDomainAccessError),
        (errno.EACCES, errors.StorageDomainAccessError),
    ],
)
def test_space_of_a_server_that_is_gone_is_an_error(
    site: DomainSite, number: int, error: type[errors.StorageError]
) -> None:
    site.made()
    domain = site.domains.find(DOMAIN)
    site.faults.fail_at(0, number)
    with pytest.raises(error):
        describe.stats(domain)


def test_files_of_an_iso_domain_are_listed_by_a_pattern(site: DomainSite, tmp_path: Path) -> None:
    path = site.made(domain_class=DomainClass.ISO)
    images = path / "images/11111111-1111-1111-1111-111111111111"
    (images / "below").mkdir()
    for name, mode in (("a.ISO", 0o644), ("below/b.iso", 0o600), ("c.txt", 0o644)):
        (images / name).write_bytes(b"12345")
        (images / name).chmod(mode)
    (tmp_path / "secret.iso").write_text("mine")
    (images / "link.iso").symlink_to(tmp_path / "secret.iso")
    domain = site.domains.find(DOMAIN)
    found = describe.file_stats(domain, "*.iso", case_sensitive=False)
    assert set(found) == {"a.ISO", "below/b.iso"}
    assert found["a.ISO"] == {
        "size": "5",
        "ctime": str((images / "a.ISO").stat().st_ctime),
        "status": 0,
    }
    unreadable = found["below/b.iso"]
    assert isinstance(unreadable, dict)
    assert unreadable["status"] == 469
    assert set(describe.file_stats(domain, "*.iso", case_sensitive=True)) == {"below/b.iso"}
    assert len(describe.file_stats(domain, "*", case_sensitive=True)) == 3


def test_only_an_iso_domain_lists_files(site: DomainSite) -> None:
    site.made()
    with pytest.raises(errors.FileStatsError):
        describe.file_stats(site.domains.find(DOMAIN), "*", case_sensitive=True)


@pytest.mark.parametrize("pattern", ["[", "[!", "**", "\\", "(" * 50, "[z-a]", ""])
def test_a_hostile_pattern_is_only_a_pattern(site: DomainSite, pattern: str) -> None:
    site.made(domain_class=DomainClass.ISO)
    assert describe.file_stats(site.domains.find(DOMAIN), pattern, case_sensitive=False) == {}


# --- dump -----------------------------------------------------------------------------------------

METADATA = VolumeMetadata(
    capacity=1 << 30,
    ctime=1700000000,
    description="disk",
    disk_type="DATA",
    domain=DOMAIN,
    format=Format.COW,
    image=IMAGE,
    legality=Legality.LEGAL,
    parent=BLANK_UUID,
    allocation=Allocation.SPARSE,
    volume_type=VolumeType.LEAF,
    generation=2,
    sequence=1,
)


def test_a_dump_has_all_volumes_and_tells_the_broken_ones(site: DomainSite) -> None:
    path = site.made()
    image = path / "images" / IMAGE
    image.mkdir()
    for volume, data in ((VOLUME, volume_metadata.encode(METADATA, 5)), (BROKEN, b"torn")):
        (image / volume).write_bytes(bytes(4096))
        (image / f"{volume}.meta").write_bytes(data)
    (image / "no-volume.meta").write_text("")
    (path / f"images/_remove_me_{IMAGE}").mkdir()
    (path / f"images/_remove_me_{IMAGE}/{VOLUME}.meta").write_text("")
    size = {"apparentsize": 4096, "truesize": (image / VOLUME).stat().st_blocks * 512}
    assert dump.volumes(site.domains.find(DOMAIN)) == {
        VOLUME: {
            "image": IMAGE,
            "parent": BLANK_UUID,
            "capacity": 1 << 30,
            "format": "COW",
            "type": "SPARSE",
            "voltype": "LEAF",
            "disktype": "DATA",
            "description": "disk",
            "legality": "LEGAL",
            "ctime": 1700000000,
            "generation": 2,
            "sequence": 1,
            "status": "OK",
            **size,
        },
        BROKEN: {"image": IMAGE, "status": "INVALID", **size},
    }


def test_a_volume_without_data_or_with_unreadable_metadata_is_invalid(site: DomainSite) -> None:
    path = site.made()
    image = path / "images" / IMAGE
    image.mkdir()
    (image / f"{VOLUME}.meta").write_bytes(volume_metadata.encode(METADATA, 5))
    (image / f"{BROKEN}.meta").symlink_to(image / f"{VOLUME}.meta")
    found = dump.volumes(site.domains.find(DOMAIN))
    without, linked = found[VOLUME], found[BROKEN]
    assert isinstance(without, dict)
    assert (without["status"], without["description"]) == ("INVALID", "disk")
    assert "truesize" not in without
    assert linked == {"image": IMAGE, "status": "INVALID"}


class LeaseFiles(FakeStorage):
    """supervdsm, as far as it reads leases."""

    def sanlock_direct_dump(
        self,
        path: str,
        offset: int = 0,
        size: int | None = None,
        block_size: int = 512,
        alignment: int = 1048576,
    ) -> SanlockDump:
        self.calls.append((path, str(offset), str(size), str(block_size), str(alignment)))
        held = SanlockLease(
            offset=1048576, lockspace=DOMAIN, resource="SDM", timestamp=7, own=1, gen=2, lver=3
        )
        return SanlockDump([held])


def test_a_full_dump_has_the_leases_of_a_shared_domain(site: DomainSite, tmp_path: Path) -> None:
    site.mount("server:/export", "nfs4")
    site.lifecycle.create(
        site.new(kind=DomainType.NFS, remote_path="server:/export", block_size=512)
    )
    domain = site.domains.find(DOMAIN)
    layout = xleases.Layout(1048576, 512)
    index = xleases.dump_index(
        xleases.IndexMetadata(DOMAIN, 1700000000, updating=False),
        [xleases.Record(VOLUME, layout.lease_offset(0))],
        layout,
    )
    domain.files.write_at("dom_md/xleases", layout.index_offset, index)
    storage = LeaseFiles(tmp_path)
    dumped = Dumps(storage).dump(domain, full=True)
    held = {
        "offset": 1048576,
        "lockspace": DOMAIN,
        "resource": "SDM",
        "timestamp": 7,
        "own": 1,
        "gen": 2,
        "lver": 3,
    }
    assert dumped == {
        "metadata": describe.info(domain),
        "volumes": {},
        "leases": [held],
        "lockspace": [held],
        "xleases": {VOLUME: {"offset": 3 * 1048576, "updating": False}},
    }
    dom_md = domain.path / "dom_md"
    assert storage.calls == [
        (f"{dom_md}/leases", "0", str(100 * 1048576), "512", "1048576"),
        (f"{dom_md}/ids", "0", "1048576", "512", "1048576"),
    ]
    domain.files.write_at("dom_md/xleases", layout.index_offset, bytes(512))
    with pytest.raises(errors.MetadataError, match="xleases"):
        Dumps(storage).dump(domain, full=True)


def test_a_dump_that_is_not_full_asks_nobody_for_leases(site: DomainSite, tmp_path: Path) -> None:
    site.made()
    dumped = Dumps(FakeStorage(tmp_path)).dump(site.domains.find(DOMAIN), full=False)
    assert set(dumped) == {"metadata", "volumes"}
