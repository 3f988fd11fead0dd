# SPDX-License-Identifier: GPL-2.0-or-later
"""oVirt's ConnectionRefParameters: what an engine says of one connection, read into a mount.

User names and passwords belong to iSCSI; for what is mounted they are not even read.
Defaults: upstream-vdsm 5 and nfs(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.storage import specs
from vdsm.storage.domain_types import DomainType
from vdsm.storage.specs import BadConnection
from vdsm_contract.config import Config
from vdsm_contract.paths import MOUNT_DIR

FIELD = "connectionParams"
NFS_OPTIONS = Config().nfs_mount_options

_ID_LENGTH = 100
_OPTIONS_LENGTH = 1000
_VFS_TYPE = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_NFS_VERSION = re.compile(r"3|4(\.[0-9])?")

_NFS_TIMEOUT = 100  # tenths of a second: 60 s until a request fails, above sanlock's 10 s
_NFS_TIMEOUT_MAX = 6000  # nfs(5) has no longer ones
_NFS_RETRANS = 3
_NFS_RETRANS_MAX = 32767


@dataclass(frozen=True, slots=True)
class Reference:
    """A connection as it was sent: its id, and the rest still to be read, which may be secret."""

    id: str
    connection: str
    params: Mapping[str, JSON] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mount:
    """What supervdsm is to be asked for. `vfs_type` None leaves the choice to it."""

    spec: str
    target: Path
    vfs_type: str | None
    options: str | None
    local: bool = False


def references(value: JSON) -> list[Reference]:
    """Reads the frame of each connection. Raises VdsmError -32602 that names the wrong field."""
    if not isinstance(value, list):
        raise VdsmError(Code.INVALID_PARAMS, f"{FIELD}: expected an array")
    return [_reference(item, f"{FIELD}[{index}]") for index, item in enumerate(value)]


def _reference(item: JSON, where: str) -> Reference:
    if not isinstance(item, dict):
        raise VdsmError(Code.INVALID_PARAMS, f"{where}: expected an object")
    identity, connection = item.get("id"), item.get("connection")
    if not isinstance(identity, str) or len(identity) > _ID_LENGTH:
        raise VdsmError(Code.INVALID_PARAMS, f"{where}.id: expected a string")
    if not isinstance(connection, str):
        raise VdsmError(Code.INVALID_PARAMS, f"{where}.connection: expected a string")
    return Reference(identity, connection, item)


def target(reference: Reference, directory: Path = MOUNT_DIR) -> Path:
    """The directory that a connection is mounted on. Raises BadConnection."""
    return specs.mount_point(specs.normalize(reference.connection), directory)


def mount(
    kind: DomainType,
    reference: Reference,
    directory: Path = MOUNT_DIR,
    nfs: Sequence[str] = NFS_OPTIONS,
) -> Mount:
    """The mount that a connection of a file based `kind` asks for; `nfs` are the options that each
    NFS mount gets. Raises BadConnection."""
    spec = specs.normalize(reference.connection)
    where = specs.mount_point(spec, directory)
    params = reference.params
    match kind:
        case DomainType.NFS:
            if not specs.is_export(spec):
                raise BadConnection("the connection is not HOST:/PATH")
            return Mount(spec, where, "nfs", nfs_options(params, nfs))
        case DomainType.LOCALFS:
            if not spec.startswith("/"):
                raise BadConnection("the connection is not an absolute path")
            return Mount(spec, where, "none", "bind", local=True)
        case DomainType.SHAREDFS:
            return Mount(spec, where, _vfs_type(params), ",".join(_extra(params)) or None)
        case _:
            raise ValueError(f"{kind.name} is not mounted")


def nfs_options(params: Mapping[str, JSON], always: Sequence[str] = NFS_OPTIONS) -> str:
    """The mount options of an NFS connection: `always`, and its own. Raises BadConnection.

    Without a `protocol_version` it is 3; with `auto` the server and the client agree on one.
    """
    version = _nfs_version(params)
    options = [
        *always,
        f"timeo={_number(params, 'timeout', _NFS_TIMEOUT, 1, _NFS_TIMEOUT_MAX)}",
        f"retrans={_number(params, 'retrans', _NFS_RETRANS, 0, _NFS_RETRANS_MAX)}",
    ]
    if version is not None:
        major, dot, minor = version.partition(".")
        options.append(f"nfsvers={major}")
        if dot:
            options.append(f"minorversion={minor}")
    extra = _extra(params)
    if version in (None, "3") and not {"lock", "nolock"} & {*extra, *always}:
        # Locks of NFS 3 on the server outlive a lost host, and its VMs could not start elsewhere.
        extra.append("nolock")
    return ",".join(options + extra)


def _nfs_version(params: Mapping[str, JSON]) -> str | None:
    value = params.get("protocol_version")
    text = "3" if value is None else str(value)
    if text == "auto":
        return None
    if isinstance(value, bool) or not _NFS_VERSION.fullmatch(text):
        raise BadConnection("protocol_version is none of 3, 4, 4.x, auto")
    return text


def _number(params: Mapping[str, JSON], key: str, default: int, low: int, high: int) -> int:
    value = params.get(key)
    if value is None:
        return default
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadConnection(f"{key} is not a number from {low} to {high}")
    return value


def _extra(params: Mapping[str, JSON]) -> list[str]:
    """The mount options that the engine's user added. Which are allowed is supervdsm's to say."""
    text = params.get("mnt_options")
    if text is None:
        return []
    if not isinstance(text, str) or len(text) > _OPTIONS_LENGTH or not text.isprintable():
        raise BadConnection("mnt_options is not a list of mount options")
    return [option.strip() for option in text.split(",") if option.strip()]


def _vfs_type(params: Mapping[str, JSON]) -> str | None:
    value = params.get("vfs_type")
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not _VFS_TYPE.fullmatch(value):
        raise BadConnection("vfs_type is not the name of a file system")
    return value
