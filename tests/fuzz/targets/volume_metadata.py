# SPDX-License-Identifier: GPL-2.0-or-later
"""The `.meta` file of a volume.

Oracle: an error of storage's, short; what is accepted and can be written is read as the same; no
file has more than 512 bytes.
"""

from collections.abc import Mapping

from fuzz.target import require
from vdsm.storage import errors
from vdsm.storage.formats import volume_metadata as fmt
from vdsm.storage.model import Allocation, Format, Legality, VolumeMetadata, VolumeType

MOST = 1024
_UUID = "5e0f3a4c-8f5a-4a35-9a0c-d2b9d3a1f0e1"
_REFUSED = (
    errors.VolumeMetadataReadError,
    errors.MetadataKeyNotFound,
    errors.MetadataKeyError,
)


def run(data: bytes) -> None:
    try:
        found = fmt.decode(data, "/path")
    except _REFUSED as error:
        require(len(str(error)) < 400, "an error that repeats the input")
        return
    require(len(found.description) <= fmt.MAX_DESCRIPTION, "too long a description")
    require(0 <= fmt.next_generation(found.generation) <= fmt.MAX_GENERATION, "the next generation")
    try:
        written = fmt.encode(found, 5)
    except (errors.MetadataOverflow, errors.MetadataValidationError):
        return
    require(len(written) <= fmt.MAX_SIZE, "too large a file")
    again = fmt.decode(written, "/path")
    require(again == found, "{} is read as {}", found, again)


def seeds() -> Mapping[str, bytes]:
    metadata = VolumeMetadata(
        capacity=1 << 30,
        ctime=1700000000,
        description='{"DiskAlias":"d","DiskDescription":""}',
        disk_type="DATA",
        domain=_UUID,
        format=Format.COW,
        image=_UUID,
        legality=Legality.LEGAL,
        parent=_UUID,
        allocation=Allocation.SPARSE,
        volume_type=VolumeType.LEAF,
        generation=999,
        sequence=3,
    )
    new, old = fmt.encode(metadata, 5), fmt.encode(metadata, 4)
    return {
        "new": new,
        "old": old,
        "zeros": new.ljust(512, b"\0"),
        "torn": new[:-5],
        "cleared": b"NONE=" + b"#" * 100 + b"\nEOF\n",
        "spaces": new.replace(b"=", b" = ").replace(b"\n", b"\r\n"),
    }
