# SPDX-License-Identifier: GPL-2.0-or-later
"""A real NFS server and a real NFS client: what the test host's kernel does not have."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from machines import Machine, Report

POOL = "00000000-0000-0000-0000-000000000000"
MNT = "/rhev/data-center/mnt"
EXPORT = "127.0.0.1:/srv/nfs"
TARGET = f"{MNT}/127.0.0.1:_srv_nfs"


@pytest.fixture(scope="module")
def server(vm: Machine) -> Iterator[Machine]:
    """The VM with an export that belongs to vdsm."""
    vm.sh(
        "mkdir -p /srv/nfs; chown 36:36 /srv/nfs; echo hello > /srv/nfs/greeting;"
        "echo '/srv/nfs 127.0.0.1(rw,sync,no_subtree_check,insecure)' > /etc/exports;"
        "systemctl restart nfs-server.service; exportfs -ra",
        timeout=300,
    )
    try:
        yield vm
    finally:
        vm.sh(f"umount -l {TARGET} 2>/dev/null || true; : > /etc/exports; exportfs -ra")


def storage_server(vm: Machine, verb: str, **connection: str) -> int:
    """Connect or disconnect the NFS server; return the status."""
    connection = {"id": POOL, "connection": EXPORT, **connection}
    parameters = {"storagepoolID": POOL, "domainType": 1, "connectionParams": [connection]}
    words = ("vdsm-client", "--timeout", "150", "-f", "-", "StoragePool", f"{verb}StorageServer")
    done = vm.run(*words, stdin=json.dumps(parameters).encode(), timeout=300)
    [answer] = json.loads(done.stdout)
    return int(answer["status"])


@pytest.mark.parametrize(("version", "type_"), [("auto", "nfs4"), ("4.1", "nfs4"), ("3", "nfs")])
def test_an_export_is_mounted_for_vdsm(server: Machine, version: str, type_: str) -> None:
    assert storage_server(server, "connect", protocol_version=version) == 0
    found = server.run("findmnt", "-n", "-o", "FSTYPE,OPTIONS", TARGET).stdout.split()
    assert found[0] == type_
    assert {"nosuid", "nodev", "noexec", "soft", "nosharecache"} <= set(found[1].split(","))
    assert server.sh(f"podman exec vdsm cat {TARGET}/greeting") == "hello"
    server.sh(f"podman exec vdsm sh -c 'echo {version} > {TARGET}/of-vdsm'")
    assert server.sh("cat /srv/nfs/of-vdsm") == version
    assert storage_server(server, "disconnect") == 0
    assert server.run("findmnt", "-n", TARGET, check=False).returncode != 0


def test_a_mount_outlives_both_containers(server: Machine) -> None:
    """The kernel's, whatever its version: one stands for all."""
    assert storage_server(server, "connect") == 0
    supervdsm = server.kill("supervdsm")
    assert server.sh(f"podman exec vdsm cat {TARGET}/greeting", timeout=240) == "hello"
    vdsm = server.kill("vdsm")
    server.wait_for_restart("supervdsm", supervdsm, timeout=180)
    server.wait_for_restart("vdsm", vdsm, timeout=180)
    assert server.sh(f"podman exec vdsm cat {TARGET}/greeting", timeout=240) == "hello"
    assert storage_server(server, "disconnect") == 0
    assert server.run("findmnt", "-n", TARGET, check=False).returncode != 0


def test_an_export_that_is_not_there_is_477(server: Machine) -> None:
    assert storage_server(server, "connect", connection="127.0.0.1:/srv/none") == 477
    assert server.sh(f"ls {MNT}") == ""


def test_a_dead_server_holds_up_nobody_else(server: Machine, report: Report) -> None:
    """What is sent to this server vanishes: the call ends within its limit, others do not wait."""
    dead = "198.51.100.77"
    server.sh(
        "ip link set eth2 up; ip address add 198.51.100.1/24 dev eth2;"
        f"ip neighbour add {dead} lladdr 52:54:00:00:00:77 dev eth2"
    )
    try:
        with ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            call = pool.submit(storage_server, server, "connect", connection=f"{dead}:/srv/nfs")
            server.wait("pgrep -f 'mount.nfs.*198.51.100.77'")
            assert storage_server(server, "connect") == 0  # another server, meanwhile
            assert "eth0" in server.client("Host", "getNetworkCapabilities")["nics"]
            assert not call.done()
            assert call.result(timeout=200) in {477, 100}
            report(f"the dead server's call ended after {time.monotonic() - began:.0f} s")
        assert server.run("pgrep", "-f", "mount.nfs", check=False).returncode != 0
        assert storage_server(server, "disconnect") == 0
        assert server.sh(f"ls {MNT}") == ""
    finally:
        server.sh("ip address flush dev eth2; ip link set eth2 down")


def test_an_export_of_others_is_refused(server: Machine) -> None:
    server.sh("chown root:root /srv/nfs; chmod 700 /srv/nfs")
    try:
        assert storage_server(server, "connect") == 469
        assert server.run("findmnt", "-n", TARGET, check=False).returncode != 0
    finally:
        server.sh("chown 36:36 /srv/nfs; chmod 755 /srv/nfs")
