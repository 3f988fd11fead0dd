# SPDX-License-Identifier: GPL-2.0-or-later
"""dom_md/metadata of a file domain, as it is on the disk, and with its checksum put right.

Oracle: an error of storage's, short; what is accepted has a file again, which is read as the same.
"""

import hashlib
from collections.abc import Mapping

from fuzz.target import require
from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import domain_metadata as fmt
from vdsm.storage.model import DomainClass, DomainMetadata, DomainStatus, PoolMetadata, Role

_UUID = "5e0f3a4c-8f5a-4a35-9a0c-d2b9d3a1f0e1"
_REFUSED = (
    errors.MetadataSealIsBroken,
    errors.MetadataKeyNotFound,
    errors.MetadataKeyError,
    errors.MetadataValidationError,
    errors.UnsupportedDomainVersion,
)


def run(data: bytes) -> None:
    check(data)
    check(sealed(data))


def sealed(data: bytes) -> bytes:
    """The lines of `data` with the checksum that they should have."""
    kept = [line for line in data.split(b"\n") if line and not line.startswith(b"_SHA_CKSUM")]
    text = b"".join(sorted(kept)).decode(errors="replace").encode("ascii", "xmlcharrefreplace")
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return b"".join(line + b"\n" for line in kept) + f"_SHA_CKSUM={digest}\n".encode()


def check(data: bytes) -> None:
    try:
        found = fmt.decode(data, "/path")
    except _REFUSED as error:
        require(len(str(error)) < 400, "an error that repeats the input")
        return
    try:
        written = fmt.encode(found)
    except errors.MetadataValidationError:
        return  # a line end of Unicode's, which others would take for one
    again = fmt.decode(written, "/path")
    require(again == found, "{} is read as {}", found, again)
    require(fmt.encode(again) == written, "another file of the same")


def seeds() -> Mapping[str, bytes]:
    plain = DomainMetadata(
        uuid=_UUID,
        version=5,
        kind=DomainType.NFS,
        role=Role.REGULAR,
        domain_class=DomainClass.DATA,
        description="data \N{LATIN SMALL LETTER E WITH ACUTE}",
        remote_path="192.0.2.1:/exports/data",
        pools=(_UUID,),
        block_size=4096,
        alignment=2 << 20,
    )
    pool = PoolMetadata("pool", {_UUID: DomainStatus.ACTIVE}, 1, 7, 3)
    master = DomainMetadata(
        uuid=_UUID,
        version=3,
        kind=DomainType.SHAREDFS,
        role=Role.MASTER,
        domain_class=DomainClass.ISO,
        description="",
        remote_path="",
        pool=pool,
        extra={"NEWER": "a=b"},
    )
    return {
        "plain": fmt.encode(plain),
        "master": fmt.encode(master),
        "zeros": fmt.encode(plain) + bytes(64),
        "torn": fmt.encode(plain)[:-30],
        "old": fmt.encode(master)
        .replace(b":Active", b"':Inactive'")
        .replace(b"=Master", b"=MASTER"),
    }
