# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage servers on a real host: mounted by supervdsm, seen by vdsm, kept through kills."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from machines import Machine

POOL = "00000000-0000-0000-0000-000000000000"
MNT = "/rhev/data-center/mnt"


@dataclass(frozen=True)
class Disk:
    """A loop device with a file system that belongs to vdsm."""

    host: Machine
    device: str

    @property
    def target(self) -> str:
        return f"{MNT}/{self.device.replace('_', '__').replace('/', '_')}"

    def connection(self, **more: str) -> dict[str, str]:
        return {"id": POOL, "connection": self.device, "vfs_type": "ext4", **more}

    def mounted(self) -> bool:
        done = self.host.run("findmnt", "-n", self.target, check=False)
        return done.returncode == 0


def connect(host: Machine, kind: str, connection: dict[str, str], verb: str = "connect") -> int:
    """Connect or disconnect a storage server; return the status."""
    parameters = {"storagepoolID": POOL, "domainType": kind, "connectionParams": [connection]}
    words = ("vdsm-client", "-f", "-", "StoragePool", f"{verb}StorageServer")
    [answer] = json.loads(host.run(*words, stdin=json.dumps(parameters).encode()).stdout)
    return int(answer["status"])


@pytest.fixture
def disk(host: Machine) -> Iterator[Disk]:
    host.sh(
        "truncate -s 64M /var/tmp/disk.img; mkfs.ext4 -q -F -E root_owner=36:36 /var/tmp/disk.img"
    )
    disk = Disk(host, host.sh("losetup --find --show /var/tmp/disk.img"))
    try:
        yield disk
    finally:
        host.sh(f"umount {disk.target} 2>/dev/null || true; losetup -d {disk.device}")
        host.sh("rm -f /var/tmp/disk.img")


def test_posixfs_on_a_loop_device(host: Machine, disk: Disk) -> None:
    assert connect(host, "SHAREDFS", disk.connection()) == 0
    options = host.run("findmnt", "-n", "-o", "OPTIONS", disk.target).stdout.strip().split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    host.sh(f"echo hello > {disk.target}/greeting")
    assert host.sh(f"podman exec vdsm cat {disk.target}/greeting") == "hello"
    host.sh(f"podman exec vdsm sh -c 'echo mine > {disk.target}/of-vdsm'")
    assert host.sh(f"stat -c %u:%g {disk.target}/of-vdsm") == "36:36"

    for unit in ("supervdsm", "vdsm"):  # whoever is killed, the mount stays
        host.wait_for_restart(unit, host.kill(unit))
        assert disk.mounted()
        assert host.sh(f"podman exec vdsm cat {disk.target}/greeting") == "hello"

    assert connect(host, "SHAREDFS", disk.connection()) == 0  # again: nothing to do
    assert host.sh(f"grep -c ' {disk.target} ' /proc/self/mountinfo") == "1"
    assert connect(host, "SHAREDFS", disk.connection(), "disconnect") == 0
    assert not disk.mounted()
    assert host.sh(f"podman exec vdsm ls {MNT}") == ""


def test_a_mount_that_fails_is_477(host: Machine, disk: Disk) -> None:
    assert connect(host, "SHAREDFS", disk.connection(vfs_type="xfs")) == 477
    assert not disk.mounted()
    assert host.sh(f"ls {MNT}") == ""


def test_a_local_directory(host: Machine) -> None:
    host.sh("mkdir -p /srv/images; chown 36:36 /srv/images; echo local > /srv/images/greeting")
    connection = {"id": POOL, "connection": "/srv/images"}
    assert connect(host, "LOCALFS", connection) == 0
    assert host.sh(f"podman exec vdsm cat {MNT}/_srv_images/greeting") == "local"
    assert connect(host, "LOCALFS", connection, "disconnect") == 0
    assert host.sh(f"ls {MNT}") == ""


@pytest.mark.parametrize("directory", ["/etc", "/root", "/var/lib/containers"])
def test_a_directory_of_others_is_refused(host: Machine, directory: str) -> None:
    assert connect(host, "LOCALFS", {"id": POOL, "connection": directory}) != 0
    assert host.sh(f"ls {MNT}") == ""


MOUNT = "org.ovirt.supervdsm.storage.Mount"


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("fsFile", {"fsFile": "/etc"}),
        ("fsFile", {"fsFile": f"{MNT}/../../../etc"}),
        ("fsFile", {"fsFile": "/rhev/data-center"}),
        ("fsFile", {"fsFile": f"{MNT}/planted/etc"}),
        ("fsFile", {"fsFile": f"{MNT}/planted"}),
        ("mntOpts", {"mntOpts": "suid"}),
        ("mntOpts", {"mntOpts": "rw,dev"}),
        ("mntOpts", {"mntOpts": "loop"}),
        ("mntOpts", {"mntOpts": "remount"}),
        ("vfsType", {"vfsType": "overlay"}),
        ("vfsType", {"vfsType": "proc"}),
        ("vfsType", {"vfsType": "../ext4"}),
        ("fsSpec", {"fsSpec": "/dev/../etc/passwd"}),
        ("fsSpec", {"fsSpec": "--bind"}),
        ("fsSpec", {"fsSpec": "/dev/null"}),
    ],
)
def test_what_a_hostile_vdsm_asks_for_is_refused(
    host: Machine, disk: Disk, field: str, arguments: dict[str, str]
) -> None:
    host.sh(f"mkdir -p {MNT}/good; chown 36:36 {MNT}/good; ln -sfn / {MNT}/planted")
    before = host.sh("cat /proc/1/mountinfo")
    call = {"fsSpec": disk.device, "fsFile": f"{MNT}/good", "vfsType": "ext4", **arguments}
    try:
        done = host.run(
            "varlinkctl", "call", "/run/vdsm/svdsm.sock", MOUNT, json.dumps(call), check=False
        )
        assert done.returncode != 0
        assert "InvalidArgument" in done.stderr
        assert f'"field":"{field}"' in (done.stdout + done.stderr).replace(" ", "").replace(
            "\t", ""
        )
        assert host.sh("cat /proc/1/mountinfo") == before
    finally:
        host.sh(f"rm -f {MNT}/planted; rmdir {MNT}/good")
