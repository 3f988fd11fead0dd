# SPDX-License-Identifier: GPL-2.0-or-later
"""The VM as a host that sanlock is asked on: quick leases, its exports, and what sanlock holds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from machines import Machine

IO_TIMEOUT = 2
"""Seconds; oVirt's 10 would make every wait of sanlock five times as long."""
CLIENT = "podman exec --user sanlock vdsm-sanlock sanlock client"
_SETTINGS = "/etc/vdsm/vdsm.conf.d/50-leases.conf"


def quicken(vm: Machine) -> None:
    """Give it quick leases, and a watchdog that would not reset it. Both stay until it is gone: no
    other test minds them, and taking them away would cost as much as this."""
    settings = f"[sanlock]\nio_timeout = {IO_TIMEOUT}\n"
    if vm.sh(f"test -e /dev/watchdog && cat {_SETTINGS}", check=False) == settings.strip():
        return
    vm.sh(f"mkdir -p /etc/vdsm/vdsm.conf.d; printf '{settings}' >{_SETTINGS}")
    vm.sh("modprobe softdog soft_noboot=1; udevadm settle; systemctl start vdsm-wdmd.service")
    vm.sh("systemctl restart vdsm.service", timeout=300)
    restart_sanlock(vm)


def restart_sanlock(host: Machine) -> None:
    """Ask it to end, as an operator does; systemd starts it again."""
    old = host.pid("vdsm-sanlock")
    host.sh(f"{CLIENT} shutdown -w 1")
    host.wait_for_restart("vdsm-sanlock", old, timeout=120)


@contextmanager
def exported(vm: Machine, *directories: str) -> Iterator[None]:
    """Within the block the directories are vdsm's, empty at first, and exported to everybody."""
    paths = " ".join(directories)
    file = f"/etc/exports.d/{directories[0].rpartition('/')[2]}.exports"
    lines = "".join(f"{path} *(rw,sync,no_subtree_check,insecure)\\n" for path in directories)
    vm.sh(
        f"mkdir -p {paths} /etc/exports.d; chown 36:36 {paths}; printf '{lines}' >{file};"
        "systemctl start nfs-server.service; exportfs -ra",
        timeout=300,
    )
    try:
        yield
    finally:
        for directory in directories:
            _let_go(vm, directory)
        vm.sh(f"rm -f {file}; exportfs -ra; rm -rf {paths}")


def _let_go(vm: Machine, directory: str) -> None:
    """After a test that did not get to its end: nobody may use an export that is taken away."""
    mounts = f"findmnt --list --noheadings --output TARGET,SOURCE | grep ':{directory}$'"
    if vm.run("sh", "-c", mounts, check=False).returncode == 0:
        vm.sh(f"{CLIENT} shutdown -f 1 -w 1; systemctl restart vdsm.service", timeout=300)
        vm.sh(f"for mount in $({mounts} | cut -d' ' -f1); do umount -l $mount; done")


@contextmanager
def silent(vm: Machine, address: str) -> Iterator[None]:
    """Within the block an NFS server's packets vanish, as when its power is cut."""
    lose = f"add rule inet silent in ip daddr {address} tcp dport 2049 drop"
    vm.sh(
        "nft add table inet silent;"
        "nft add chain inet silent in '{ type filter hook input priority 0; }';"
        f"nft {lose}"
    )
    try:
        yield
    finally:
        vm.sh("nft delete table inet silent")


def host_ids(host: Machine) -> dict[str, int]:
    """This host's id in each lockspace that sanlock has, by domain."""
    lines = host.sh(f"{CLIENT} gets").splitlines()
    fields = [line.split()[1].split(":") for line in lines]
    return {domain: int(host_id) for domain, host_id, *_ in fields}


def held(host: Machine) -> list[tuple[str, str]]:
    """Domain and name of each lease that some process of the host holds."""
    return ids_and_leases(host)[1]


def ids_and_leases(host: Machine) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """What `host_ids` and `held` tell, asked for once."""
    lines = host.sh(f"{CLIENT} status").splitlines()
    ids, leases = (
        [line.split()[1].split(":") for line in lines if line.startswith(f"{kind} ")]
        for kind in ("s", "r")
    )
    return (
        {domain: int(host_id) for domain, host_id, *_ in ids},
        [(domain, name) for domain, name, *_ in leases],
    )


def dump(host: Machine, path: str, **more: int) -> list[dict[str, Any]]:
    """Leases as supervdsm reads them for StorageDomain.dump."""
    found = host.run(
        "varlinkctl", "--json=short", "call", "/run/vdsm/svdsm.sock",
        "org.ovirt.supervdsm.storage.SanlockDirectDump", json.dumps({"path": path, **more}),
    )  # fmt: skip
    leases = json.loads(found.stdout)["leases"]
    assert isinstance(leases, list)
    return leases
