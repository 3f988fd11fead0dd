# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a volume's file is what its metadata says: the format, and the file that it is based on.

qemu-img is not asked. A header may name any file of this host as its base or as its data, and what
is looked at here was perhaps written by a guest or uploaded by a user.
"""

from __future__ import annotations

from vdsm.storage import layout
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.errors import VolumeAccessError
from vdsm.storage.files import Files
from vdsm.storage.model import BLANK_UUID, Format, VolumeId, VolumeMetadata
from vdsm.storage.volume import qcow2
from vdsm.storage.volume.qcow2 import BadHeader, Header


def read(files: Files, volume: VolumeId, metadata: VolumeMetadata) -> Header | None:
    """The header of a COW volume, None of a raw one. Raises BadHeader when it is not the one that
    the metadata asks for, and VolumeAccessError."""
    with reading(str(volume), VolumeAccessError):
        path = layout.volume(volume.image, volume.volume)
        data = files.read_at(path, 0, qcow2.HEADER_SIZE, direct=False)
    if metadata.format is Format.RAW:
        if qcow2.is_qcow2(data):
            raise BadHeader("it is a qcow2 image, and RAW in the metadata")
        return None
    header = qcow2.read_header(data)
    if header.external_data:
        raise BadHeader("it names another file for its data")
    expected = None if metadata.parent == BLANK_UUID else metadata.parent
    if not _same(header.backing, expected):
        raise BadHeader(f"it is based on {header.backing!r:.200}, and not on {expected}")
    return header


def _same(backing: str | None, parent: str | None) -> bool:
    """Older releases wrote `../IMAGE/PARENT`."""
    if backing is None or parent is None:
        return backing is parent
    parts = backing.split("/")
    return backing == parent or (len(parts) == 3 and parts[0] == ".." and parts[2] == parent)
