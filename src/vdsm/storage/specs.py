# SPDX-License-Identifier: GPL-2.0-or-later
"""What is mounted, and where: how the text of a connection becomes a directory's name.

The names are oVirt's, because the other hosts of a data center and the metadata of its storage
domains go by them. Everything here is pure.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path

from vdsm_contract.paths import MOUNT_DIR

_LENGTH_MAX = 1000
_NAME_MAX = 255  # bytes; linux/limits.h

# HOST:PATH with a name, an IPv4 address or an IPv6 address in brackets.
_REMOTE = re.compile(r"(\[[^][/]+\]|[^][/:]+):(.*)")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


class BadConnection(Exception):
    """A connection that cannot be what its sender meant; nothing was changed."""


def normalize(connection: str) -> str:
    """The one spelling of what is to be mounted: a path, or HOST:PATH, without a needless slash.

    Raises BadConnection for an empty or overlong text, for characters that cannot be printed, for a
    component `..`, and for a leading dash, which a command would take for an option.
    """
    if not connection:
        raise BadConnection("the connection is empty")
    if len(connection) > _LENGTH_MAX:
        raise BadConnection(f"the connection is longer than {_LENGTH_MAX} characters")
    if not connection.isprintable():
        raise BadConnection("the connection has characters that cannot be printed")
    if connection != connection.strip() or connection.startswith("-"):
        raise BadConnection("the connection begins or ends with a blank, or begins with a dash")
    if ".." in re.split("[/:]", connection):
        raise BadConnection("the connection has a component '..'")
    remote = _REMOTE.fullmatch(connection)
    if connection.startswith("/") or remote is None:
        return _normalize_path(connection)
    host, path = remote.groups()
    port, colon, rest = path.partition(":")
    if colon and _PORT.fullmatch(port):
        return f"{host}:{port}:{_normalize_path(rest)}"
    return f"{host}:{_normalize_path(path)}"


def _normalize_path(path: str) -> str:
    if not path:
        raise BadConnection("the connection names no path")
    normal = os.path.normpath(path)
    # POSIX lets a path begin with two slashes and mean something else; Linux does not.
    return normal[1:] if normal.startswith("//") else normal


def is_export(spec: str) -> bool:
    """Whether a normalized `spec` is HOST:/PATH, as NFS wants it."""
    remote = _REMOTE.fullmatch(spec)
    return remote is not None and remote[2].startswith("/")


def directory_name(spec: str) -> str:
    """oVirt's name of the directory that `spec` is mounted on. Raises BadConnection when it is
    longer than a name may be.

    Two specs may have one name (`a/_b` and `a_/b`). supervdsm compares the source of a mount, so
    that the second one is refused.
    """
    name = spec.replace("_", "__").replace("/", "_")
    if len(os.fsencode(name)) > _NAME_MAX:
        raise BadConnection(f"the connection is too long for a directory of {_NAME_MAX} bytes")
    if name in (".", ".."):
        raise BadConnection("the connection is no path")
    return name


def mount_point(spec: str, directory: Path = MOUNT_DIR) -> Path:
    """The directory that the normalized `spec` is mounted on. Raises BadConnection."""
    return directory / directory_name(spec)
