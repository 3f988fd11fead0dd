# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the running network configuration differs from the one that a reboot would bring.

supervdsm keeps both in oVirt's layout: below nets/, bonds/ and devices/ one JSON file each.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from vdsm.host.tree import HostTree
from vdsm_contract.paths import STATE_DIR

_RUNNING = f"{STATE_DIR}/staging/netconf"
_PERSISTENT = f"{STATE_DIR}/persistence/netconf"
_KINDS = ("nets", "bonds", "devices")

_Config: TypeAlias = "dict[tuple[str, str], object]"


def dirty(tree: HostTree) -> bool:
    """Whether a reboot would change the networks. Raises OSError."""
    return _read(tree, _RUNNING) != _read(tree, _PERSISTENT)


def dirty_text(tree: HostTree) -> str:
    """The same as oVirt's netConfigDirty: "True" or "False"."""
    return str(dirty(tree))


def _read(tree: HostTree, directory: str) -> _Config:
    # supervdsm may replace the tree meanwhile: a file that has gone says nothing.
    return {
        (kind, file.name): _meaning(tree.text_or(f"{directory}/{kind}/{file.name}", ""))
        for kind in _KINDS
        for file in tree.entries(f"{directory}/{kind}")
    }


def _meaning(text: str) -> object:
    """The attributes in a file, so that spaces and order do not count; text that is not JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
