# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the running network configuration differs from the one that a reboot would bring.

supervdsm keeps both in oVirt's layout: a link to a tree with one JSON file for each network, bond
and device, below nets/, bonds/ and devices/. It replaces a tree by switching its link, and keeps
the old one until it writes the next: who has followed the link once reads one configuration, not
parts of two.
"""

from __future__ import annotations

import os
from typing import TypeAlias

import msgspec

from vdsm.host.tree import HostTree
from vdsm_contract.paths import STATE_DIR

_RUNNING = f"{STATE_DIR}/staging/netconf"
_PERSISTENT = f"{STATE_DIR}/persistence/netconf"
_KINDS = ("nets", "bonds", "devices")
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
_ATTEMPTS = 5  # a tree that was replaced twice while it was read is read again

_Files: TypeAlias = "dict[tuple[str, str], bytes]"


def dirty(tree: HostTree) -> bool:
    """Whether a reboot would change the networks. Raises OSError."""
    for _ in range(_ATTEMPTS):
        trees = _trees(tree)
        running, persistent = (_read(each) for each in trees)
        if trees == _trees(tree):
            break
    return running != persistent and _meaning(running) != _meaning(persistent)


def dirty_text(tree: HostTree) -> str:
    """The same as oVirt's netConfigDirty: "True" or "False"."""
    return str(dirty(tree))


def _trees(tree: HostTree) -> tuple[HostTree, HostTree]:
    """What the two links lead to now."""
    return HostTree(tree.path(_RUNNING).resolve()), HostTree(tree.path(_PERSISTENT).resolve())


def _read(tree: HostTree) -> _Files:
    files: _Files = {}
    for kind in _KINDS:
        directory = str(tree.path(kind))
        try:
            names = os.listdir(directory)  # noqa: PTH208 - a host may have thousands
        except _ABSENT:
            continue
        for name in names:
            files[kind, name] = _content(f"{directory}/{name}")
    return files


def _content(path: str) -> bytes:
    """A file's content; nothing when it goes meanwhile: its tree was replaced, see `dirty`."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except _ABSENT:
        return b""


def _meaning(files: _Files) -> dict[tuple[str, str], object]:
    """The attributes in the files, so that spaces and order do not count; bytes that are no JSON
    stand for themselves."""
    return {key: _decoded(content) for key, content in files.items()}


def _decoded(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return content
