# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage domain's NFS export, mounted by way of networks that are changed under a writer."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from machines import Report
from vm.site import Site

SERVER: Final = "10.1.0.1"
EXPORT: Final = f"{SERVER}:/srv/far"
TARGET: Final = f"/rhev/data-center/mnt/{SERVER}:_srv_far"
POOL: Final = "00000000-0000-0000-0000-000000000000"
STORAGE: Final = {
    "bonding": "bond0", "vlan": 100, "ipaddr": "10.1.0.2", "netmask": "255.255.255.0", "mtu": 1500,
}  # fmt: skip
FAST: Final = {"nics": ["eth1"], "options": "mode=1 miimon=100"}

# A kernel's NFS server belongs to a network namespace; its files here are its own, too.
_SERVE: Final = """
mkdir -p /srv/far; rm -f /srv/far/*; chown 36:36 /srv/far; modprobe nfsd
cat >/run/far-nfs <<'end'
set -eu
mount -t tmpfs tmpfs /var/lib/nfs
mkdir /var/lib/nfs/v4recovery; touch /var/lib/nfs/etab /var/lib/nfs/rmtab
mount -t nfsd nfsd /proc/fs/nfsd
exportfs -o rw,sync,no_subtree_check,insecure,fsid=7 '*:/srv/far'
rpc.nfsd --no-nfs-version 3 --grace-time 10 --lease-time 10 4
exec rpc.mountd --foreground --no-nfs-version 3
end
ip netns exec peer sh /run/far-nfs >/run/far-nfs.log 2>&1 &
"""
# Its mount namespace is gone; the threads belong to the network.
_END: Final = """
ip netns exec peer sh -c 'mount -t nfsd nfsd /proc/fs/nfsd; rpc.nfsd 0'
"""
_WRITER: Final = """
import os, sys, time
path, stop = sys.argv[1:]
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
count, longest = 0, 0.0
while not os.path.exists(stop):
    began = time.monotonic()
    os.write(fd, b"%09d\\n" % count)
    os.fsync(fd)
    longest = max(longest, time.monotonic() - began)
    count += 1
    time.sleep(0.02)
os.close(fd)
print(count, longest)
"""


@pytest.fixture(scope="module")
def mounted(site: Site) -> Iterator[Site]:
    """The export of a server at the other end of a VLAN, connected as an engine does it."""
    site.peer.vlan(100, f"{SERVER}/24")
    site.setup({"storage": STORAGE}, {"bond0": FAST})
    site.shell(_SERVE)
    site.shell("until [ -n \"$(ip netns exec peer ss -Hltn 'sport = 2049')\" ]; do sleep 0.2; done")
    try:
        assert storage_server(site, "connect") == 0
        yield site
    finally:
        assert storage_server(site, "disconnect") == 0
        site.shell(_END)
        site.clear()


def storage_server(site: Site, verb: str) -> int:
    connection = {"id": POOL, "connection": EXPORT, "protocol_version": "4.1"}
    answer = site.engine.call(
        f"StoragePool.{verb}StorageServer",
        storagepoolID=POOL,
        domainType=1,
        connectionParams=[connection],
        timeout=150,
    )
    assert isinstance(answer, list), answer
    return int(answer[0]["status"])


@pytest.fixture
def writing(mounted: Site, request: pytest.FixtureRequest, report: Report) -> Iterator[Site]:
    """A writer that flushes each line; whatever happens, the server has all of them at the end."""
    shell, name = mounted.shell, "lines"
    shell(f"rm -f /run/stop /run/writer /srv/far/{name}; cat >/run/writer.py <<'end'{_WRITER}end")
    shell(
        "setpriv --reuid 36 --regid 36 --clear-groups "
        f"python3 /run/writer.py {TARGET}/{name} /run/stop >/run/writer 2>&1 & "
        f"until [ -s /srv/far/{name} ]; do sleep 0.1; done"
    )
    yield mounted
    lines = int(shell(f"wc -l </srv/far/{name}"))
    shell(f"until [ $(wc -l </srv/far/{name}) -gt $(({lines} + 5)) ]; do sleep 0.1; done")
    shell("touch /run/stop; until [ -s /run/writer ]; do sleep 0.1; done")
    told = shell("cat /run/writer").split()
    assert len(told) == 2, " ".join(told)
    written = shell(f"cat /srv/far/{name}").splitlines()
    assert written == [f"{number:09d}" for number in range(int(told[0]))]
    report(f"{len(written)} lines over NFS, the longest flush took {float(told[1]):.2f} s")


def test_it_is_mounted_over_the_vlan(mounted: Site) -> None:
    [mount] = json.loads(mounted.shell(f"findmnt -J {TARGET}"))["filesystems"]
    assert mount["fstype"] == "nfs4"
    assert "vers=4.1" in mount["options"]
    assert f"addr={SERVER}" in mount["options"]
    assert mounted.kernel().routes_of("storage") == {("10.1.0.0/24", "")}


@pytest.mark.parametrize(
    ("networks", "bondings"),
    [
        pytest.param({"storage": {**STORAGE, "mtu": 9000}}, {}, id="its MTU grows"),
        pytest.param({"storage": STORAGE}, {}, id="its MTU shrinks"),
        pytest.param({"other": {"bonding": "bond0", "vlan": 200}}, {}, id="another on its bond"),
        pytest.param({}, {"bond0": {**FAST, "nics": ["eth1", "eth2"]}}, id="a NIC more"),
        pytest.param({}, {"bond0": {**FAST, "nics": ["eth2"]}}, id="a NIC for another"),
        pytest.param({}, {"bond0": {**FAST, "options": "mode=5"}}, id="another mode"),
        pytest.param({"storage": {**STORAGE, "bridged": False}}, {}, id="without its bridge"),
    ],
)
def test_a_writer_goes_on_while_its_network_is_changed(
    writing: Site, networks: dict[str, Any], bondings: dict[str, Any]
) -> None:
    writing.setup(networks, bondings)


def test_a_writer_goes_on_after_a_change_that_is_rolled_back(writing: Site) -> None:
    """Its VLAN is moved to where nobody is, for some seconds."""
    answer = writing.engine.setup(
        {"storage": {**STORAGE, "vlan": 300, "bridged": False}},
        connectivityCheck=True,
        connectivityTimeout=4,
    )
    assert answer.code == 10
