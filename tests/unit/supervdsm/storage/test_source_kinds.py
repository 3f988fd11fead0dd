# SPDX-License-Identifier: GPL-2.0-or-later
"""The command and the attributes of a mount, and when a mount is of the same source."""

from pathlib import Path

import pytest

from supervdsm.policy.mount_options import FORCED, VfsType, mount_options
from supervdsm.storage import kernel, sources
from supervdsm.storage.mountinfo import Mount
from supervdsm.storage.sources import BlockDevice, HostDirectory, NfsExport, bind_attributes
from supervdsm.storage.stage import mount_command
from vdsm_contract.errors import InvalidArgument


def _mount(source: str, fs_type: str, device: int = 1, root: str = "/") -> Mount:
    return Mount(1, 0, device, root, "/rhev/data-center/x", frozenset(), fs_type, source)


def test_an_nfs_mount_is_one_command_without_a_shell_and_with_the_source_after_the_options() -> (
    None
):
    options = mount_options("soft,timeo=100", VfsType.NFS4)
    assert mount_command("nfs4", options, "server:/a b") == [
        *("mount", "-n", "-t", "nfs4", "-o", "soft,timeo=100,nosuid,nodev,noexec"),
        *("--", "server:/a b", "/mnt"),
    ]


@pytest.mark.parametrize(
    ("source", "fs_type", "same"),
    [
        ("server:/export", "nfs4", True),
        ("server:/export", "nfs", True),
        ("SERVER:/export/", "nfs", True),
        ("server://export", "nfs", True),
        ("server:/exports", "nfs", False),
        ("other:/export", "nfs", False),
        ("server:/export", "fuse", False),
    ],
)
def test_an_export_is_known_by_server_and_path(source: str, fs_type: str, same: bool) -> None:
    assert NfsExport("server:/export", "nfs", ()).is_shown_by(_mount(source, fs_type)) is same


def test_a_device_is_known_by_its_number_not_its_name() -> None:
    device = BlockDevice("/dev/dm-0", 7, "xfs", ())
    assert device.is_shown_by(_mount("/dev/mapper/x", "xfs", 7))
    assert not device.is_shown_by(_mount("/dev/dm-0", "xfs", 8))
    assert not device.is_shown_by(_mount("/dev/dm-0", "ext4", 7))
    assert not device.is_shown_by(_mount("/dev/dm-0", "xfs", 7, "/part"))


def test_a_directory_is_known_by_its_place_on_the_file_system() -> None:
    directory = HostDirectory(3, 7, "/data", ())
    assert directory.is_shown_by(_mount("/dev/sda", "ext4", 7, "/data"))
    assert not directory.is_shown_by(_mount("/dev/sda", "ext4", 7, "/data2"))
    assert not directory.is_shown_by(_mount("/dev/sda", "ext4", 8, "/data"))


def test_a_bind_mount_always_has_the_forced_attributes() -> None:
    forced = kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV | kernel.MOUNT_ATTR_NOEXEC
    assert bind_attributes(FORCED) == (forced, 0)
    assert bind_attributes(mount_options("ro", VfsType.NONE))[0] == (
        forced | kernel.MOUNT_ATTR_RDONLY
    )
    assert bind_attributes(mount_options("ro,rw", VfsType.NONE))[0] == forced


@pytest.mark.parametrize("spec", ["/dev/null", "/dev/no-such-device", "/dev/stdin", "/dev/net"])
def test_what_is_no_block_device_is_refused(spec: str) -> None:
    with (
        pytest.raises(InvalidArgument) as caught,
        sources.opened(
            spec, VfsType.XFS, (), data_center=Path("/rhev/data-center"), host_root=Path("/host")
        ),
    ):
        pytest.fail("accepted")
    assert caught.value.field == "fsSpec"
