# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls that neither a verb nor a child of one needs, and the filter that refuses them.

A list of what is refused, and not of what is allowed: children are mount(8) and mount.nfs(8), the
host's own systemctl(1) and the administrator's hooks, whose next release may use a call that nobody
here has heard of. The filter is made by libseccomp and stays for the life of the process and of all
of its children. Sources: seccomp(2), seccomp_init(3) and its neighbours, <seccomp.h>.
"""

import ctypes
import errno
import os
from collections.abc import Mapping
from typing import Final

REFUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "other processes' memory and descriptors": (
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd",
        "kcmp", "userfaultfd", "move_pages", "migrate_pages",
    ),
    "code in the kernel": (
        "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf",
    ),
    "looking into the kernel": ("perf_event_open", "lookup_dcookie", "syslog"),
    "keys": ("add_key", "request_key", "keyctl"),
    "files by their handle, past all directories": ("open_by_handle_at",),
    "seeing or holding up what others open": ("fanotify_init", "fanotify_mark"),
    "another root directory": ("chroot", "pivot_root"),
    "calls that no filter sees": ("io_uring_setup", "io_uring_enter", "io_uring_register"),
    "the machine's state": (
        "reboot", "swapon", "swapoff", "sethostname", "setdomainname", "vhangup",
    ),
    "the clock": ("settimeofday", "clock_settime", "adjtimex", "clock_adjtime"),
    "accounting and quotas": ("acct", "quotactl", "quotactl_fd"),
    "ports and old modes of the processor": (
        "iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "personality",
    ),
    "calls that are not used any more": ("nfsservctl", "uselib", "ustat", "sysfs", "_sysctl"),
}  # fmt: skip
"""By what they are for. They fail with EPERM, and the kernel's audit says so where it is on."""

_CLONE_NEWUSER: Final = 0x1000_0000
"""A new user has all capabilities in a namespace of its own, and with them more of the kernel."""

_ALLOW: Final = 0x7FFF_0000
_ERRNO: Final = 0x0005_0000
_ON_FOREIGN_ARCHITECTURE: Final = 2
_LOG: Final = 6
_ALLOW_SPECULATION: Final = 7
_OPTIMIZE: Final = 8
_BINARY_TREE: Final = 2
_UNKNOWN: Final = -1
_MASKED_EQUAL: Final = 7


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def refuse() -> None:
    """Load the filter, for this thread and what it starts from now on.

    The thread must have no_new_privs or CAP_SYS_ADMIN. Raises OSError.
    """
    library = _library()
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    if not context:
        raise OSError(errno.ENOMEM, "seccomp_init failed")
    try:
        # On a machine with another set of calls beside its own (32 bits) that one is closed.
        _set(library, context, _ON_FOREIGN_ARCHITECTURE, _ERRNO | errno.EPERM)
        _set(library, context, _LOG, 1)
        # Kernels before 5.16 would slow this process down as if it ran a browser's scripts.
        _set(library, context, _ALLOW_SPECULATION, 1)
        _set(library, context, _OPTIMIZE, _BINARY_TREE)
        for names in REFUSED.values():
            for name in names:
                _add(library, context, name, errno.EPERM)
        for name, index in (("unshare", 0), ("clone", 0), ("setns", 1)):
            flag = _Comparison(index, _MASKED_EQUAL, _CLONE_NEWUSER, _CLONE_NEWUSER)
            _add(library, context, name, errno.EPERM, flag)
        # Its flags are in memory, where no filter sees them. The C library then takes clone(2).
        _add(library, context, "clone3", errno.ENOSYS)
        _check(library.seccomp_load(context), "seccomp_load")
    finally:
        library.seccomp_release(context)


def _add(
    library: ctypes.CDLL,
    context: ctypes.c_void_p,
    name: str,
    number: int,
    condition: _Comparison | None = None,
) -> None:
    call = library.seccomp_syscall_resolve_name(name.encode())
    if call == _UNKNOWN:
        raise OSError(errno.ENOSYS, f"libseccomp knows no system call {name}")
    # A call that this architecture lacks has a negative number of its own, and makes no rule.
    count = 0 if condition is None else 1
    by = None if condition is None else ctypes.byref(condition)
    action = ctypes.c_uint32(_ERRNO | number)
    done = library.seccomp_rule_add_array(context, action, call, count, by)
    _check(done, f"seccomp_rule_add_array of {name}")


def _set(library: ctypes.CDLL, context: ctypes.c_void_p, attribute: int, value: int) -> None:
    done = library.seccomp_attr_set(context, attribute, ctypes.c_uint32(value))
    if done != -errno.EOPNOTSUPP:  # an older kernel, which can do without
        _check(done, f"seccomp_attr_set of {attribute}")


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    return library
