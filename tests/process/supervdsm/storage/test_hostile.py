# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm's uid plants links, swaps them while a mount is made, and supervdsm is killed in between."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from process.supervdsm.storage.site import Site, is_held, released
from supervdsm.common.call import serving
from supervdsm.storage import mountinfo
from vdsm_contract.errors import InvalidArgument, MountFailed, TimedOut, UmountFailed, VerbError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
SOURCES = Path(__file__).parents[4] / "src"


@pytest.mark.parametrize(
    "suffix",
    ["link", "link/x", "mnt/../../..", "mnt/./t", "", "mnt//t", "mnt/no", "mnt/file", "loop"],
)
def test_a_target_that_leads_elsewhere_or_is_no_directory_is_refused(
    site: Site, suffix: str
) -> None:
    victim = site.root / "victim"
    (victim / "x").mkdir(parents=True)
    (site.data_center / "link").symlink_to(victim)
    (site.data_center / "loop").symlink_to("loop")
    (site.data_center / "mnt/file").touch()
    source = site.directory()
    with pytest.raises(InvalidArgument) as caught:
        site.room.mount(source, f"{site.data_center}/{suffix}", None, "none")
    assert caught.value.field == "fsFile"
    with suppress(UmountFailed, InvalidArgument):
        site.room.umount(f"{site.data_center}/{suffix}")
        pytest.fail("unmounted")
    assert site.mounts(str(victim)) == site.mounts(str(victim / "x")) == []


def test_a_target_inside_of_another_mount_is_refused(site: Site) -> None:
    # What lies in it may be of a server that says today directory and tomorrow link.
    source, target = site.directory(), site.target()
    (site.host_root / "data/inner").mkdir()
    site.room.mount(source, target, None, "none")
    with pytest.raises(InvalidArgument, match="another mount"):
        site.room.mount(source, f"{target}/inner/deep", None, "none")


@contextmanager
def swapping(directory: Path, link: Path) -> Iterator[None]:
    """Exchange a directory and a link all the time, as fast as can be."""
    stop = threading.Event()
    libc = ctypes.CDLL(None)
    names = [os.fsencode(path) for path in (directory, link)]

    def swap() -> None:
        while not stop.is_set():
            libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        yield
    finally:
        stop.set()
        racer.join()


@pytest.mark.parametrize("level", ["mnt/target", "mnt"])
def test_a_link_swapped_in_while_mounting_never_moves_the_mount_outside(
    site: Site, level: str
) -> None:
    source = site.directory()
    target = site.data_center / "mnt/target"
    target.mkdir()
    victim = site.root / "victim"
    (victim / "target").mkdir(parents=True)
    swapped = site.data_center / level
    link = swapped.with_name("link")
    link.symlink_to(victim)
    rhev = site.host_root / "rhev"
    mounted = refused = 0
    with swapping(swapped, link):
        while mounted < 30 or refused < 30:
            try:
                site.room.mount(source, str(target), None, "none")
                mounted += 1
            except (InvalidArgument, MountFailed):
                refused += 1
            points = [Path(point) for point in points_of(site, source)]
            assert all(rhev in point.parents or site.vdsm in point.parents for point in points)
            for point in points:
                if rhev in point.parents:
                    subprocess.run(["umount", "-n", "-l", point], check=False, capture_output=True)


def points_of(site: Site, source: str) -> list[str]:
    """Return where the directory `source` of the host is mounted."""
    suffix = f"{site.host_root}{source}"
    return [mount.mount_point for mount in mountinfo.read() if mount.root.endswith(suffix)]


def test_a_link_swapped_in_while_unmounting_never_unmounts_outside(site: Site) -> None:
    victim = site.root / "victim"
    victim.mkdir()
    subprocess.run(["mount", "-n", "-t", "tmpfs", "tmpfs", victim], check=True)
    target = Path(site.target("t"))
    link = target.with_name("link")
    link.symlink_to(victim)
    with swapping(target, link):
        for _ in range(60):
            with pytest.raises((UmountFailed, InvalidArgument)):
                site.room.umount(str(target), lazy=True)
    assert len(site.mounts(str(victim))) == 1


HANGING = '"$REAL" "$@" && : >{ready} && read x <{go}'
"""Mounts, says so, and then does not come back."""


def hang(site: Site) -> tuple[Path, Path]:
    """Replace mount(8) with one that hangs after its work; return the pipes ready and go."""
    ready, go = site.root / "ready", site.root / "go"
    os.mkfifo(ready)
    os.mkfifo(go)
    site.replace_mount_command(HANGING.format(ready=ready, go=go))
    return ready, go


def test_a_mount_that_is_beyond_its_limit_is_unwound(site: Site) -> None:
    target = site.target()
    ready, _ = hang(site)
    with site.device("ext4") as device:
        seen = threading.Thread(target=lambda: ready.open().close())
        seen.start()
        with pytest.raises(TimedOut), serving("Mount", 1.0):
            site.room.mount(device, target, None, "ext4")
        seen.join()
        assert site.mounts_of(device) == []
        assert released(device)


def test_supervdsm_killed_while_it_mounts_leaves_nothing(site: Site) -> None:
    target = site.target()
    ready, go = hang(site)
    code = (
        "import sys; from pathlib import Path; from supervdsm.storage.room import StorageRoom;"
        "room = StorageRoom(data_center=Path(sys.argv[1]), host_root=Path(sys.argv[2]));"
        "room.mount(sys.argv[3], sys.argv[4], None, 'ext4')"
    )
    with site.device("ext4") as device:
        argv = [sys.executable, "-c", code]
        argv += [str(site.data_center), str(site.host_root), device, target]
        helper = subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(SOURCES)})
        try:
            ready.open().close()
            held, shown = is_held(device), site.mounts_of(device)
        finally:
            helper.send_signal(signal.SIGKILL)
            helper.wait()
        assert (held, shown) == (True, [])  # it was on the stage, which is nowhere to be seen
        # mount(8) would end with its container; here it comes back.
        go.open("w").close()
        assert released(device)
        assert site.mounts(target) == []


def test_nothing_stays_open_after_success_or_failure(site: Site) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    source, target = site.directory(), site.target()
    with site.device("ext4") as device:
        before = open_files()
        for spec, vfs in ((source, "none"), (device, "ext4"), (device, "xfs"), ("/dev/no", "xfs")):
            with suppress(VerbError):
                site.room.mount(spec, target, None, vfs)
                site.room.umount(target)
        assert open_files() == before
