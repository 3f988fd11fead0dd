# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pair finds or leaves on the host: /rhev, its port, its certificates, the clock."""

import ctypes
import datetime
from pathlib import Path
from typing import Final

from vdsm_contract.paths import DATA_CENTER, MANAGEMENT_PORT, PKI_DIR
from vdsm_tool.finding import Finding, Level, fail, ok, unknown, warn
from vdsm_tool.host import Host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state.certificates import judge

_LISTEN: Final = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronized
_TIMEX_SIZE: Final = 256  # larger than struct timex of any architecture


def propagation(host: Host) -> Finding:
    """Return whether a mount below /rhev reaches the containers: its mount must be shared."""
    name = "mounts"
    above = (DATA_CENTER, *DATA_CENTER.parents)
    mounts = {mount.target: mount for mount in host.mounts()}  # the last one lies on top
    carrier = next((mounts[path] for path in above if path in mounts), None)
    if carrier is None:
        return unknown(name, "pid 1 has no root mount", "`findmnt -o TARGET,PROPAGATION`.")
    if not carrier.shared:
        return fail(
            name,
            f"{carrier.target} is private: mounts of one container do not reach the other",
            f"`mount --make-rshared {carrier.target}`; systemd does it for / when it boots.",
        )
    return ok(name, f"{carrier.target} is shared")


def port(host: Host) -> Finding:
    """Return whether the management port is free or systemd's (which holds it for vdsm)."""
    name = f"port {MANAGEMENT_PORT}"
    inodes = _listening(host)
    if not inodes:
        return ok(name, "free")
    wanted = {f"socket:[{inode}]" for inode in inodes}
    owners = dict(_holders(host, wanted))
    if "1" in owners:
        return ok(name, "held by systemd")
    if not owners:
        return unknown(name, "in use, by whom cannot be seen", "Run vdsm-tool as root.")
    pid, comm = next(iter(owners.items()))
    return fail(name, f"in use by {comm} (pid {pid})", f"Stop it: `systemctl status {pid}`.")


def _listening(host: Host) -> set[str]:
    """Return the inodes of the sockets that listen on the port, see proc_net(5)."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        file = host.proc / "1/net" / table
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            fields = line.split()
            number = int(fields[1].rpartition(":")[2], 16)
            if number == MANAGEMENT_PORT and fields[3] == _LISTEN:
                inodes.add(fields[9])
    return inodes


def _holders(host: Host, links: set[str]) -> list[tuple[str, str]]:
    """Return pid and name of the processes that have one of the sockets open; pid 1 comes first."""
    pids = sorted((path.name for path in host.proc.iterdir() if path.name.isdigit()), key=int)
    holders = []
    for pid in pids:
        process = host.proc / pid
        try:
            targets = {str(link.readlink()) for link in (process / "fd").iterdir()}
            if targets & links:
                holders.append((pid, (process / "comm").read_text().strip()))
        except OSError:
            continue  # it has ended, or is not ours to look at
    return holders


def certificates(_host: Host, directory: Path = PKI_DIR) -> Finding:
    """Return whether vdsm has certificates; a host that waits for its engine has none yet."""
    finding = judge(PkiFiles(directory), now=datetime.datetime.now(datetime.UTC))
    if finding.level is Level.FAIL and not PkiFiles(directory).existing():
        return warn(finding.name, f"there are none in {directory}", finding.way_out)
    return finding


def clock(_host: Host) -> Finding:
    """Return whether the clock is synchronized, as the kernel knows it (adjtimex(2))."""
    buffer = ctypes.create_string_buffer(_TIMEX_SIZE)  # modes = 0: read only
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    if state == _TIME_ERROR:
        return warn(
            "clock",
            "not synchronized: certificates and storage leases rely on it",
            "Enable chrony or systemd-timesyncd.",
        )
    if state < 0:
        return unknown("clock", "adjtimex(2) is refused", "`timedatectl`.")
    return ok("clock", "synchronized")
