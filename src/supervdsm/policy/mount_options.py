# SPDX-License-Identifier: GPL-2.0-or-later
"""The file systems and mount options that vdsm may ask for: what is not listed is refused.

Sources: mount(8), nfs(5), ext4(5), xfs(5). Left out on purpose is whatever names another file or
device (logdev, journal_path, mounthost), lets a failure take the host down (errors=panic), outlives
the call (bg), or speaks to mount(8) itself (loop, user, remount, X-mount.*).
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from vdsm_contract.errors import InvalidArgument

_FIELD: Final = "mntOpts"

FORCED: Final = ("nosuid", "nodev", "noexec")
"""Added to every mount, after all others: the last word counts."""

_IGNORED: Final = frozenset({"defaults", "_netdev", *FORCED})
"""Accepted for the sake of old configurations; they say nothing here."""

_LENGTH_MAX: Final = 1024

_NUMBER: Final = r"[0-9]{1,9}"
_SIZE: Final = r"[0-9]{1,9}[kKmMgG]?"
_FLAG: Final = None


class VfsType(Enum):
    """A file system that may be mounted; NONE is a bind mount of a directory of the host."""

    NFS = "nfs"
    NFS4 = "nfs4"
    EXT4 = "ext4"
    XFS = "xfs"
    NONE = "none"


def _flags(names: str) -> dict[str, str | None]:
    return dict.fromkeys(names.split(), _FLAG)


def _values(pattern: str, names: str) -> dict[str, str | None]:
    return dict.fromkeys(names.split(), pattern)


_ACCESS_TIME: Final = _flags("atime noatime relatime norelatime nodiratime diratime")

_GENERIC: Final = _ACCESS_TIME | _flags(
    "ro rw sync async dirsync strictatime nostrictatime lazytime nolazytime"
)

_NFS: Final = (
    _GENERIC
    | _flags(
        "soft hard softerr softreval nosoftreval intr nointr fg tcp udp rdma lock nolock"
        " sharecache nosharecache ac noac cto nocto acl noacl rdirplus nordirplus"
        " resvport noresvport fsc nofsc migration nomigration trunkdiscovery notrunkdiscovery"
    )
    | _values(
        _NUMBER,
        "timeo retrans retry rsize wsize acregmin acregmax acdirmin acdirmax actimeo"
        " port mountport nconnect max_connect namlen minorversion",
    )
    | _values(r"(tcp|udp|rdma)6?", "proto mountproto")
    | _values(r"[234](\.[0-2])?", "nfsvers vers")
    | _values(r"[123]", "mountvers")
    | _values(r"(none|sys|krb5[ip]?)(:(none|sys|krb5[ip]?)){0,4}", "sec")
    | _values(r"(none|tls|mtls)", "xprtsec")
    | _values(r"(all|none|pos|positive)", "lookupcache")
    | _values(r"(all|none|flock|posix)", "local_lock")
    | _values(r"(lazy|eager|wait)", "write")
)

_EXT4: Final = (
    _GENERIC
    | _flags(
        "discard nodiscard barrier nobarrier delalloc nodelalloc acl noacl user_xattr nouser_xattr"
        " noload norecovery journal_checksum nojournal_checksum auto_da_alloc noauto_da_alloc"
    )
    | _values(r"(continue|remount-ro)", "errors")
    | _values(r"(ordered|journal|writeback)", "data")
    | _values(r"[01]", "barrier auto_da_alloc")
    | _values(_NUMBER, "commit stripe inode_readahead_blks")
)
_EXT4_BARE: Final = frozenset({"barrier", "auto_da_alloc"})
"""Options that may stand with or without a value."""

_XFS: Final = (
    _GENERIC
    | _flags(
        "discard nodiscard inode32 inode64 largeio nolargeio swalloc noalign norecovery nouuid"
        " wsync noquota attr2"
    )
    | _values(_SIZE, "allocsize logbsize")
    | _values(_NUMBER, "logbufs sunit swidth")
)

_BIND: Final = _ACCESS_TIME | _flags("ro rw bind")

_ALLOWED: Final[Mapping[VfsType, Mapping[str, str | None]]] = {
    VfsType.NFS: _NFS,
    VfsType.NFS4: _NFS,
    VfsType.EXT4: _EXT4,
    VfsType.XFS: _XFS,
    VfsType.NONE: _BIND,
}

_NAMES: Final = frozenset(
    _NFS
    | _EXT4
    | _XFS
    | _BIND
    | _flags(
        "suid dev exec loop remount user users owner group auto nofail bg rbind move shared private"
        " context uid gid umask mode password pass credentials username domain offset sizelimit"
        " logdev rtdev journal_path journal_dev mounthost addr clientaddr"
    )
)
"""Options that a refusal names. Any other word may be a secret that strayed into the list."""


def vfs_type(name: str | None, spec: str) -> VfsType:
    """Return the file system called `name`; without a name it is NFS if `spec` looks like it."""
    if name is None:
        if not spec.startswith("/") and ":/" in spec:
            return VfsType.NFS
        raise InvalidArgument("vfsType", "must be given, unless fsSpec is SERVER:/PATH")
    try:
        return VfsType(name)
    except ValueError:
        known = ", ".join(each.value for each in VfsType)
        raise InvalidArgument("vfsType", f"is none of {known}") from None


def mount_options(text: str | None, vfs: VfsType) -> tuple[str, ...]:
    """Return the options in the comma separated `text` that matter, each once, then `FORCED`."""
    if text is not None and len(text) > _LENGTH_MAX:
        raise InvalidArgument(_FIELD, f"is longer than {_LENGTH_MAX} characters")
    options: dict[str, None] = {}
    for number, option in enumerate((text or "").split(","), start=1):
        if option and option not in _IGNORED:
            _check(option, number, vfs)
            options.pop(option, None)
            options[option] = None
    return (*options, *FORCED)


def _check(option: str, number: int, vfs: VfsType) -> None:
    """Check the option at place `number`.

    The reason ends in logs, and what is refused may be a password, or a part of one that has a
    comma: so no value is told, and no word that is not a known name.
    """
    name, equals, value = option.partition("=")
    allowed = _ALLOWED[vfs]
    if name not in allowed:
        which = repr(name) if name in _NAMES else f"number {number}"
        raise InvalidArgument(_FIELD, f"option {which} is not allowed for {vfs.value}")
    pattern = allowed[name]
    if pattern is None or (not equals and vfs is VfsType.EXT4 and name in _EXT4_BARE):
        if equals:
            raise InvalidArgument(_FIELD, f"option {name!r} takes no value")
    elif not re.fullmatch(pattern, value, re.ASCII):
        raise InvalidArgument(_FIELD, f"option {name!r} may not have this value")
