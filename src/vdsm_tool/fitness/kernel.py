# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel can do: tried where a trial has no effect, not guessed from a version."""

import ctypes
import errno
import gzip
import os
import re
import socket
from collections.abc import Callable
from typing import Final

from vdsm_tool.finding import Finding, fail, ok, unknown, warn
from vdsm_tool.host import Host

_CALLS: Final = {"open_tree": 428, "move_mount": 429, "openat2": 437, "mount_setattr": 442}
"""Numbers of system calls; those above 424 are the same on every architecture."""

_SO_PEERPIDFD: Final = 77  # asm-generic/socket.h, Linux 6.5

_MODULE_LINE: Final = re.compile(r"([^/:\s]+?)\.ko(?:\.\w+)?(?::|$)")


def calls(_host: Host) -> Finding:
    """Return whether the kernel has the system calls by which mounts and paths are made safe."""
    names = ", ".join(_CALLS)
    missing = [name for name, number in _CALLS.items() if _failure(number) == errno.ENOSYS]
    if missing:
        return fail("system calls", f"without {', '.join(missing)}", "Use Linux 5.12 or newer.")
    refused = [name for name, number in _CALLS.items() if _failure(number) == errno.EPERM]
    if refused:
        return unknown(
            "system calls",
            f"may not try {', '.join(refused)}",
            "Run vdsm-tool as root, privileged.",
        )
    return ok("system calls", names)


def _failure(number: int) -> int:
    """Make a call with wrong arguments and return its errno: ENOSYS when it does not exist."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    wrong = [ctypes.c_long(-1)] * 5
    result = libc.syscall(ctypes.c_long(number), *wrong)
    return ctypes.get_errno() if result < 0 else 0


def peer_pidfd(_host: Host) -> Finding:
    """Return whether a socket can name its peer by a pidfd, which no other process can reuse."""
    name = "peer pidfd"
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        try:
            pidfd = ours.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
        except OSError as error:
            return warn(
                name,
                f"SO_PEERPIDFD: {error.strerror}",
                "Use Linux 6.5 or newer: without it a peer's process is known by its number only.",
            )
    os.close(pidfd)
    return ok(name, "SO_PEERPIDFD")


def overlay(host: Host) -> Finding:
    """Return whether podman can use overlay storage."""
    return _feature(
        host, "overlay", "overlay", "CONFIG_OVERLAY_FS", fail, "containers do not start"
    )


def bridge(host: Host) -> Finding:
    """Return whether networks of VMs can be made."""
    return _feature(host, "bridge", "bridge", "CONFIG_BRIDGE", fail, "VMs have no network")


def bonding(host: Host) -> Finding:
    """Return whether bonds can be made."""
    return _feature(host, "bonding", "bonding", "CONFIG_BONDING", warn, "bonds cannot be made")


def vlan(host: Host) -> Finding:
    """Return whether networks can have a VLAN tag."""
    return _feature(
        host, "vlan", "8021q", "CONFIG_VLAN_8021Q", warn, "networks with a VLAN cannot be made"
    )


def nfs(host: Host) -> Finding:
    """Return whether NFS storage can be mounted."""
    return _feature(host, "nfs", "nfs", "CONFIG_NFS_FS", warn, "NFS storage cannot be mounted")


def kvm(host: Host) -> Finding:
    """Return whether this host can run VMs."""
    if host.path("/dev/kvm").exists():
        return ok("kvm", "/dev/kvm")
    return warn(
        "kvm",
        "there is no /dev/kvm: no VM runs here",
        "Enable VT-x or AMD-V in the firmware, then `modprobe kvm_intel` or `kvm_amd`.",
    )


def _feature(
    host: Host,
    name: str,
    module: str,
    option: str,
    missing: Callable[[str, str, str], Finding],
    effect: str,
) -> Finding:
    """Judge a feature that is built in, loaded, or can be loaded as `module`."""
    release = (host.proc / "sys/kernel/osrelease").read_text().strip()
    modules = host.path("/lib/modules") / release
    if host.path("/sys/module").joinpath(module).is_dir() or _is_filesystem(host, module):
        return ok(name, "in the kernel")
    if _listed(modules / "modules.builtin", module):
        return ok(name, "built in")
    if _listed(modules / "modules.dep", module):
        return ok(name, "a module that can be loaded")
    config = _config(host, release)
    value = config.get(option)
    if value == "y":
        return ok(name, "built in")
    way_out = f"Install the distribution's full kernel, with the module {module}."
    if value == "m" or (config and value is None) or modules.is_dir():
        return missing(name, f"not in Linux {release}: {effect}", way_out)
    return unknown(
        name,
        f"cannot be told: no /lib/modules/{release}, no kernel configuration",
        f"`modprobe {module}` on the host.",
    )


def _is_filesystem(host: Host, name: str) -> bool:
    lines = (host.proc / "filesystems").read_text().splitlines()
    return name in {line.split("\t")[-1] for line in lines}


def _listed(file: os.PathLike[str], module: str) -> bool:
    try:
        with open(file) as lines:
            names = (_MODULE_LINE.search(line) for line in lines)
            return any(name is not None and name[1].replace("-", "_") == module for name in names)
    except FileNotFoundError:
        return False


def _config(host: Host, release: str) -> dict[str, str]:
    """Return the options that the kernel was built with; empty when they are nowhere to be read."""
    packed = host.proc / "config.gz"
    plain = host.path(f"/boot/config-{release}")
    if packed.exists():
        text = gzip.decompress(packed.read_bytes()).decode()
    elif plain.exists():
        text = plain.read_text()
    else:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if line.startswith("CONFIG_"))
    return {key: value for key, _, value in pairs}
