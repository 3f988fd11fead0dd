# SPDX-License-Identifier: GPL-2.0-or-later
"""What supervdsm keeps of root's privileges, and how it gives up the others.

Its container starts with all of them. Before it serves anybody, and before it has a second thread,
it drops what no verb needs: for itself, and by the bounding set, no_new_privs and the filter of
system calls (`seccomp`) for every child that it will ever have. What is left is still enough to
become root on the host for who finds a way to run code here; it is not enough to load a module, to
take the machine's memory, disks or clock, or to follow a process. Source: capabilities(7).
"""

import ctypes
import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervdsm.server import seccomp


@dataclass(frozen=True)
class Kept:
    """A capability that stays: its number, what it is needed for, and the verbs that fail without
    it (by their method, without the common prefix)."""

    bit: int
    need: str
    verbs: tuple[str, ...]


_NETWORKS: Final = ("network.SetupNetworks", "network.RestoreNetworks")
_AS_OTHERS: Final = ("storage.ValidateAccess", "storage.SanlockDirectDump", "network.GetLldpInfo")

KEPT: Final[Mapping[str, Kept]] = {
    "CAP_CHOWN": Kept(0, "`resolv.conf` keeps its owner", _NETWORKS),
    "CAP_DAC_OVERRIDE": Kept(
        1,
        "directories of others: what vdsm has below `/rhev/data-center`, `/proc/PID/fd`",
        ("storage.Mount", "storage.Umount", "storage.Fuser"),
    ),
    "CAP_FOWNER": Kept(3, "`resolv.conf` keeps its mode", _NETWORKS),
    "CAP_KILL": Kept(5, "ends children that became another user", _AS_OTHERS),
    "CAP_SETGID": Kept(6, "children become another user", _AS_OTHERS),
    "CAP_SETUID": Kept(7, "children become another user", _AS_OTHERS),
    "CAP_SETPCAP": Kept(8, "`rpc.statd` (NFSv3) gives up what it has", ("storage.Mount",)),
    "CAP_NET_BIND_SERVICE": Kept(
        10, "`mount.nfs` and `rpc.statd` (NFSv3) use ports below 1024", ("storage.Mount",)
    ),
    "CAP_NET_ADMIN": Kept(
        12,
        "links, addresses, routes, qdiscs, device settings",
        (*_NETWORKS, "network.SetPortMirroring", "network.SetRpFilterLoose"),
    ),
    "CAP_NET_RAW": Kept(13, "tells neighbours of moved addresses (ARP, ICMPv6)", _NETWORKS),
    "CAP_SYS_CHROOT": Kept(
        18, "`nsenter` into the host's mount namespace: `systemctl`, hooks", _NETWORKS
    ),
    "CAP_SYS_PTRACE": Kept(
        19,
        "links in `/proc/PID` of others, `/proc/1/ns/mnt` among them",
        ("storage.Fuser", *_NETWORKS),
    ),
    "CAP_SYS_ADMIN": Kept(
        21,
        "mounts, mount namespaces",
        ("storage.Mount", "storage.Umount", *_NETWORKS),
    ),
}
"""All that is left of some forty. To add one, name who needs it."""

_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_VERSION_3: Final = 0x2008_0522
_WORD: Final = 32
_LAST: Final = Path("/proc/sys/kernel/cap_last_cap")
_TASKS: Final = Path("/proc/self/task")

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    """`struct __user_cap_header_struct` of <linux/capability.h>."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """`struct __user_cap_data_struct`: 32 bits of each set."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def mask() -> int:
    """Return the kept capabilities as /proc/PID/status shows sets of them."""
    return sum(1 << kept.bit for kept in KEPT.values())


def reduce() -> None:
    """Give up all privileges but the kept ones, for good, for this process and its children.

    Privileges belong to a thread, so there may be no other one yet. Raises OSError.
    """
    threads = len(list(_TASKS.iterdir()))
    if threads > 1:
        raise OSError(errno.EBUSY, f"{threads} threads run: each would keep its own privileges")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    permitted = _permitted()
    if permitted or os.geteuid() == 0:
        # Who has no capability has not the one for this either, and with the next line needs none.
        _reduce_bounding_set()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _set_capabilities(permitted & mask())
    seccomp.refuse()


def _reduce_bounding_set() -> None:
    kept = mask()
    for bit in range(int(_LAST.read_text()) + 1):
        if not kept >> bit & 1 and _prctl(_PR_CAPBSET_READ, bit):
            _prctl(_PR_CAPBSET_DROP, bit)


def _permitted() -> int:
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    _check(_libc.capget(ctypes.byref(header), sets), "capget")
    low, high = (int(word.permitted) for word in sets)
    return high << _WORD | low


def _set_capabilities(keep: int) -> None:
    words = (keep & (1 << _WORD) - 1, keep >> _WORD)
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)(*(_Sets(word, word, 0) for word in words))
    _check(_libc.capset(ctypes.byref(header), sets), "capset")


def _prctl(option: int, argument: int) -> int:
    zero = ctypes.c_ulong(0)
    result: int = _libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero)
    return _check(result, f"prctl {option} of {argument}")


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
