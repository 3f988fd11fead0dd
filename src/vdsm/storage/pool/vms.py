# SPDX-License-Identifier: GPL-2.0-or-later
"""The OVFs of machines: master/vms/<machine>/<machine>.ovf on the master or a backup domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout, model
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.files import Files

MAX_OVF: Final = 4 << 20
"""Bytes of an OVF."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine and its OVF."""

    uuid: str
    ovf: str


def machines(value: JSON) -> list[Machine]:
    """Reads StoragePool.updateVMs' vmList. Raises InvalidParameter."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise errors.InvalidParameter("vmList", "it is not a list")
    found = []
    for one in value:
        if not isinstance(one, dict) or not isinstance(one.get("ovf"), str):
            raise errors.InvalidParameter("vmList", "a machine lacks vm or ovf")
        ovf = str(one["ovf"])
        if len(ovf.encode(errors="replace")) > MAX_OVF:
            raise errors.InvalidParameter("vmList", f"an OVF has more than {MAX_OVF} bytes")
        found.append(Machine(model.uuid(one.get("vm"), "vmList"), ovf))
    return found


def update(files: Files, wanted: Iterable[Machine]) -> None:
    """Writes the OVF of each machine; what was there of it gives way in one step. One that cannot
    be written leaves no directory. Raises NoSpaceLeft, InsufficientPermissions, FileWriteError."""
    for machine in wanted:
        directory = f"{layout.VMS}/{machine.uuid}"
        with writing(str(files.root / directory)):
            made = not files.exists(directory)
            if made:
                files.mkdir(directory, parents=True)
            try:
                files.write(_ovf(machine.uuid), machine.ovf.encode(errors="replace"))
            except OSError:
                if made:
                    with suppress(OSError):
                        files.rmdir(directory)
                raise


def remove(files: Files, machine: str) -> None:
    """Removes a machine's directory; one that is not there is no error."""
    with writing(str(files.root / layout.VMS / machine)):
        files.remove_tree(f"{layout.VMS}/{machine}")


def uuids(files: Files) -> list[str]:
    """The machines that have a directory."""
    with reading(str(files.root / layout.VMS)):
        return [name for name in files.list(layout.VMS) if model.is_uuid(name)]


def ovfs(files: Files, wanted: Sequence[str]) -> dict[str, str]:
    """The OVF of each of the machines that are there; all when none is named."""
    found = wanted or uuids(files)
    with reading(str(files.root / layout.VMS)):
        contents = files.read_many([_ovf(uuid) for uuid in found], limit=MAX_OVF)
    return {
        uuid: data.decode(errors="replace")
        for uuid, data in zip(found, contents, strict=True)
        if data is not None
    }


def _ovf(machine: str) -> str:
    return f"{layout.VMS}/{machine}/{machine}.ovf"
