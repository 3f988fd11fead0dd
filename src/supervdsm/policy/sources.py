# SPDX-License-Identifier: GPL-2.0-or-later
"""What a mount's source may look like. No file is looked at here: see `storage.sources`."""

import re
from pathlib import Path
from typing import Final

from supervdsm.policy import paths
from vdsm_contract.errors import InvalidArgument

_FIELD: Final = "fsSpec"

_LENGTH_MAX: Final = 1024

_HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?"
"""A host name (RFC 1123, and the underscores that some sites have) or an IPv4 address."""

_IPV6: Final = r"\[[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,15})?\]"

_NFS: Final = re.compile(rf"({_HOST}|{_IPV6}):(/.*)", re.ASCII)

DEVICES: Final = Path("/dev")

_NOT_DEVICES: Final = tuple(f"/dev/{name}/" for name in ("fd", "shm", "mqueue", "pts", "hugepages"))
"""Below /dev, but not of udev's making."""

_SYSTEM_TREES: Final = (
    *("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "rhev", "root"),
    *("run", "sbin", "sys", "usr", "var/cache", "var/lib/containers", "var/lib/libvirt"),
    *("var/lib/vdsm", "var/log", "var/run", "var/spool"),
)
"""Trees of the host, relative to its root, that no storage domain lives in."""


def nfs_export(spec: str) -> str:
    """Return `spec` if it is SERVER:/PATH, with an IPv6 address in brackets (nfs(5))."""
    paths.printable(spec, field=_FIELD)
    match = _NFS.fullmatch(spec)
    if len(spec) > _LENGTH_MAX or match is None:
        raise InvalidArgument(_FIELD, "is not SERVER:/PATH")
    if ".." in spec.split("/"):
        raise InvalidArgument(_FIELD, "the exported path has a component '..'")
    return spec


def device_path(spec: str) -> str:
    """Return `spec` if it may be the path of a device node."""
    paths.below(spec, DEVICES, field=_FIELD)
    if spec.startswith(_NOT_DEVICES):
        raise InvalidArgument(_FIELD, "is no device of the host")
    return spec


def host_directory(spec: str) -> str:
    """Return `spec`, an absolute path on the host, relative to the host's root."""
    stripped = spec.rstrip("/") or "/"
    relative = paths.below(stripped, Path("/"), field=_FIELD)
    for tree in _SYSTEM_TREES:
        if f"{relative}/".startswith(f"{tree}/"):
            raise InvalidArgument(_FIELD, f"lies in /{tree}, which belongs to the system")
    return relative
