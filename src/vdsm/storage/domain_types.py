# SPDX-License-Identifier: GPL-2.0-or-later
"""The types of storage domains, by oVirt's names and numbers. Engines send either."""

from __future__ import annotations

import re
from enum import IntEnum

from vdsm.jsonrpc.errors import JSON, Code, VdsmError


class DomainType(IntEnum):
    UNKNOWN = 0
    NFS = 1
    FCP = 2
    ISCSI = 3
    LOCALFS = 4
    CIFS = 5
    SHAREDFS = 6
    """oVirt's name for posixfs: any file system that mount(8) can mount."""
    GLUSTERFS = 7


def parse(value: JSON, field: str) -> DomainType:
    """Reads a name or a number (also as a string). Raises VdsmError -32602 that names `field`."""
    if isinstance(value, str) and value in DomainType.__members__:
        return DomainType[value]
    if isinstance(value, str) and re.fullmatch("[0-7]", value):
        return DomainType(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and value in set(DomainType):
        return DomainType(value)
    raise VdsmError(Code.INVALID_PARAMS, f"{field}: {value!r:.40} is no type of storage domain")
