# SPDX-License-Identifier: GPL-2.0-or-later
"""Real file systems are mounted on the target and nowhere else, or refused: nothing changes."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from process.supervdsm.storage.site import Site, is_held, released
from supervdsm.storage import mountinfo
from vdsm_contract.errors import InvalidArgument, MountFailed

FORCED = {"nosuid", "nodev", "noexec"}

FILE_SYSTEMS = [
    "ext4",
    pytest.param(
        "xfs", marks=pytest.mark.skipif(not shutil.which("mkfs.xfs"), reason="needs xfsprogs")
    ),
]


@pytest.mark.parametrize("fs_type", FILE_SYSTEMS)
def test_a_device_is_mounted_where_vdsm_sees_it_without_suid_dev_and_exec(
    site: Site, fs_type: str
) -> None:
    target = site.target()
    with site.device(fs_type) as device:
        site.room.mount(device, target, "noatime", fs_type)
        [mount] = site.mounts(target)
        assert mount.options >= FORCED | {"rw", "noatime"}
        assert (mount.source, mount.fs_type, mount.root) == (device, fs_type, "/")
        [copy] = site.mounts(str(site.seen_by_vdsm(target)))
        assert copy.options >= FORCED
        (Path(target) / "file").touch()
        assert (site.seen_by_vdsm(target) / "file").exists()
        assert site.mounts_of(device) == [target, str(site.seen_by_vdsm(target))]

        site.room.umount(target)
        assert site.mounts_of(device) == []
        assert released(device)


def test_a_directory_of_the_host_is_bound(site: Site) -> None:
    source, target = site.directory("data/images"), site.target()
    (site.host_root / "data/images/file").touch()
    site.room.mount(source, target, None, "none")
    [mount] = site.mounts(target)
    assert mount.options >= FORCED | {"rw"}
    assert (site.seen_by_vdsm(target) / "file").exists()
    assert site.mounts(str(site.host_root / "data/images")) == []
    site.room.umount(target)
    assert site.mounts(target) == []


def test_a_read_only_bind_is_read_only_and_its_source_is_not(site: Site) -> None:
    source, target = site.directory(), site.target()
    site.room.mount(source, target, "ro", "none")
    with pytest.raises(OSError, match="Read-only"):
        (Path(target) / "file").touch()
    (site.host_root / "data/file").touch()


def test_what_is_mounted_in_the_source_later_does_not_come_along(site: Site) -> None:
    source, target = site.directory(), site.target()
    (site.host_root / "data/inner").mkdir()
    subprocess.run(["mount", "-n", "--bind", site.host_root, site.host_root], check=True)
    subprocess.run(["mount", "-n", "--make-shared", site.host_root], check=True)
    site.room.mount(source, target, None, "none")
    inner = site.host_root / "data/inner"
    subprocess.run(["mount", "-n", "-t", "tmpfs", "tmpfs", inner], check=True)
    assert site.mounts(f"{target}/inner") == []


def test_a_second_mount_of_the_same_source_changes_nothing(site: Site) -> None:
    source, target = site.directory(), site.target()
    other = site.target("device")
    site.hide_vdsm()
    with site.device("ext4") as device:
        for _ in range(3):
            site.room.mount(source, target, None, "none")
            site.room.mount(device, other, None, "ext4")
        assert len(site.mounts(target)) == len(site.mounts(other)) == 1


def test_a_device_may_be_mounted_on_a_second_target_of_ovirts(site: Site) -> None:
    site.hide_vdsm()
    targets = [site.target("one"), site.target("two")]
    with site.device("ext4") as device:
        for target in targets:
            site.room.mount(device, target, None, "ext4")
        assert sorted(site.mounts_of(device)) == targets


def test_a_target_with_another_source_is_not_covered(site: Site) -> None:
    first, second, target = site.directory("a"), site.directory("b"), site.target()
    site.room.mount(first, target, None, "none")
    before = site.mounts(target)
    with pytest.raises(MountFailed, match="already a mount of") as caught:
        site.room.mount(second, target, None, "none")
    assert (caught.value.spec, caught.value.target) == (second, target)
    with pytest.raises(MountFailed, match="already a mount of"):
        site.room.mount("server:/export", target, None, "nfs")
    assert site.mounts(target) == before


def test_what_mount_says_and_its_status_reach_the_caller(site: Site) -> None:
    target = site.target()
    with site.device("ext4") as device:
        with pytest.raises(MountFailed, match=r"wrong fs type|can't read superblock") as caught:
            site.room.mount(device, target, None, "xfs")
        assert caught.value.status == 32
        assert "/mnt:" not in caught.value.stderr
        assert not is_held(device)
    assert site.mounts(target) == []


def test_an_nfs_server_that_refuses_is_reported(site: Site) -> None:
    target = site.target()
    site.replace_mount_command("echo mount.nfs: access denied by server >&2; exit 32")
    with pytest.raises(MountFailed, match="access denied by server") as caught:
        site.room.mount("server:/export", target, "soft", "nfs")
    assert caught.value.status == 32


def test_a_file_system_whose_root_is_not_vdsms_is_not_mounted(site: Site) -> None:
    target = site.target()
    with site.device("ext4", owner=0) as device:
        with pytest.raises(MountFailed, match="belongs to 0:0, not to vdsm"):
            site.room.mount(device, target, None, "ext4")
        assert site.mounts_of(device) == []
        assert released(device)


def test_a_device_that_the_host_mounts_or_holds_is_refused(site: Site, tmp_path: Path) -> None:
    target = site.target()
    with site.device("ext4") as device:
        held = os.open(device, os.O_RDONLY | os.O_EXCL)
        with pytest.raises(InvalidArgument, match="in use"):
            site.room.mount(device, target, None, "ext4")
        os.close(held)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        subprocess.run(["mount", "-n", device, elsewhere], check=True)
        with pytest.raises(InvalidArgument, match=f"mounted on {elsewhere}"):
            site.room.mount(device, target, None, "ext4")
        subprocess.run(["umount", "-n", elsewhere], check=True)
    assert site.mounts(target) == []


def test_our_own_second_view_of_a_mount_is_no_foreign_use(site: Site, tmp_path: Path) -> None:
    """Through /host a container sees /rhev once more, below a container's root."""
    target = site.target()
    view = tmp_path / "host/overlay/merged/rhev"
    view.mkdir(parents=True)
    with site.device("ext4") as device:
        site.room.mount(device, target, None, "ext4")
        subprocess.run(["mount", "-n", "--bind", target, view], check=True)
        site.room.mount(device, target, None, "ext4")
        assert len(site.mounts(target)) == 1
        subprocess.run(["umount", "-n", view], check=True)
        site.room.umount(target)


def test_the_machines_own_disk_is_refused(site: Site) -> None:
    root = next(mount for mount in mountinfo.read() if mount.mount_point == "/")
    if not root.source.startswith("/dev/") or not Path(root.source).exists():
        pytest.skip("the root file system is not on a device")
    with pytest.raises(InvalidArgument, match="in use"):
        site.room.mount(root.source, site.target(), None, "ext4")


@pytest.mark.parametrize("owner", [0, 1000, 107])
def test_a_directory_that_is_not_vdsms_is_refused(site: Site, owner: int) -> None:
    source, target = site.directory(owner=owner), site.target()
    with pytest.raises(InvalidArgument, match=f"belongs to {owner}:{owner}") as caught:
        site.room.mount(source, target, None, "none")
    assert caught.value.field == "fsSpec"
    assert site.mounts(target) == []


def test_a_link_on_the_host_does_not_lead_to_another_source(site: Site) -> None:
    site.directory("data")
    (site.host_root / "data/link").symlink_to(site.directory("other"))
    (site.host_root / "link").symlink_to(site.host_root / "data")
    for source in ("/data/link", "/link", "/link/x"):
        with pytest.raises(InvalidArgument, match="symbolic link"):
            site.room.mount(source, site.target(), None, "none")


def test_a_process_of_vdsms_in_proc_is_no_directory_for_data(site: Site) -> None:
    proc = site.host_root / "chroot/proc"
    proc.mkdir(parents=True)
    subprocess.run(["mount", "-n", "-t", "proc", "proc", proc], check=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=36, group=36) as process:
        assert (proc / str(process.pid)).stat().st_uid == 36
        with pytest.raises(InvalidArgument, match="not on a file system for data"):
            site.room.mount(f"/chroot/proc/{process.pid}", site.target(), None, "none")


@pytest.mark.parametrize(
    ("options", "vfs", "field"),
    [
        ("suid", "none", "mntOpts"),
        ("dev", "none", "mntOpts"),
        ("exec", "none", "mntOpts"),
        ("remount,bind", "none", "mntOpts"),
        (None, "tmpfs", "vfsType"),
        (None, "proc", "vfsType"),
        (None, None, "vfsType"),
    ],
)
def test_options_and_file_systems_off_the_list_are_refused_before_anything_is_touched(
    site: Site, options: str | None, vfs: str | None, field: str
) -> None:
    source, target = site.directory(), site.target()
    before = mountinfo.read()
    site.replace_mount_command("exit 0")
    with pytest.raises(InvalidArgument) as caught:
        site.room.mount(source, target, options, vfs)
    assert caught.value.field == field
    assert {mount.id for mount in before} == {
        mount.id for mount in mountinfo.read() if mount.mount_point != "/usr/bin/mount"
    }


def test_many_mounts_at_once_end_each_on_its_own_target(site: Site) -> None:
    site.hide_vdsm()
    targets = [site.target(f"t{n}") for n in range(4)]
    failures: list[BaseException] = []

    def mount(device: str, target: str) -> None:
        try:
            site.room.mount(device, target, None, "ext4")
        except BaseException as error:
            failures.append(error)

    with site.device("ext4") as device:
        threads = [threading.Thread(target=mount, args=(device, target)) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert sorted(site.mounts_of(device)) == targets


def test_a_daemon_that_the_mount_leaves_behind_does_not_keep_the_file_system(site: Site) -> None:
    # mount.nfs may start rpc.statd, which lives on in the stage's mount namespace.
    target = site.target()
    end = site.root / "end"
    os.mkfifo(end)
    site.replace_mount_command(f'"$REAL" "$@"; (read x <{end}) >/dev/null 2>&1 &')
    with site.device("ext4") as device:
        site.room.mount(device, target, None, "ext4")
        try:
            site.room.umount(target)
            assert released(device)
        finally:
            end.open("w").close()
