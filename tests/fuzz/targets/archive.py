# SPDX-License-Identifier: GPL-2.0-or-later
"""An archive of an upgrade that nobody vouches for: tar headers, manifest, the images' own
manifest.

The input is a tar; what is read of it is also read as a manifest. The checksums of headers are put
right first if the first byte is odd. Oracle: ToolError, short; members within the file, apart from
each other, of names of their own, that a copy holds again; a manifest that is written and read as
the same.
"""

import io
import tarfile
from collections.abc import Mapping

from fuzz.target import require
from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import archive, docker_archive, manifest, tarball
from vdsm_tool.upgrade.manifest import File
from vdsm_tool.upgrade.model import Pair
from vdsm_tool.upgrade.tarball import Member

MOST = 1 + 8 * tarball.BLOCK
PREFIX = 1
_MEMBERS = 6


def run(data: bytes) -> None:
    content = data[1:]
    if data[:1] and data[0] & 1:
        content = sealed(content)
    file = io.BytesIO(content)
    try:
        held = list(tarball.members(file, 0, len(content), most=_MEMBERS))
    except ToolError as error:
        _tell(error)
        return
    check(content, held)
    for read in (
        lambda: archive._members(file, len(content)),
        lambda: docker_archive.read(file, 0, len(content)),
    ):
        try:
            read()
        except ToolError as error:
            _tell(error)
    for member in held:
        if member.is_file:
            check_manifest(tarball.read_at(file, member.offset, member.size))


def check(content: bytes, held: list[Member]) -> None:
    require(len(held) <= _MEMBERS, "too many members")
    require(len({member.name for member in held}) == len(held), "two members of one name")
    end = tarball.BLOCK
    copied = io.BytesIO()
    for member in held:
        require(member.offset >= end, "members within each other")
        end = member.offset + member.size
        require(end <= len(content), "a member beyond the end")
        end += tarball.BLOCK
        require(member.name.isprintable(), "a name for no terminal")
        tarball.copy(io.BytesIO(content), member, copied)
    tarball.finish(copied)
    again = list(tarball.members(copied, 0, copied.tell(), most=_MEMBERS))
    require(
        [(m.name, m.is_file, m.size) for m in again] == [(m.name, m.is_file, m.size) for m in held],
        "a copy holds something else",
    )


def check_manifest(content: bytes) -> None:
    try:
        found = manifest.parse(content)
    except ToolError as error:
        _tell(error)
        return
    require(manifest.parse(manifest.encode(found)) == found, "another manifest")
    require("/" not in found.pair.name, "a name that leads elsewhere")


def sealed(content: bytes) -> bytes:
    """The same with the checksum right in each block that could be a header."""
    blocks = bytearray(content)
    for at in range(0, len(blocks) - tarball.BLOCK + 1, tarball.BLOCK):
        if blocks[at + 257 : at + 262] == b"ustar":
            blocks[at + 148 : at + 156] = b" " * 8
            total = sum(blocks[at : at + tarball.BLOCK])
            blocks[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(blocks)


def _tell(error: ToolError) -> None:
    require(len(error.sentence) < 1000, "an error that repeats the input: {}", error.sentence)


def seeds() -> Mapping[str, bytes]:
    pair = Pair("a" * 64, "b" * 64, "1.0", "1", "abc", "x86_64")
    said = manifest.encode(
        manifest.make(pair, "2026-01-02T03:04:05+00:00", {"images.tar": File("c" * 64, 7)})
    )

    def tar(*members: tuple[str, bytes]) -> bytes:
        file = io.BytesIO()
        for name, content in members:
            tarball.add(file, name, content)
        tarball.finish(file)
        return file.getvalue()

    images = tar(("manifest.json", b'[{"Config":"x.json","Layers":["l.tar"],"RepoTags":null}]'))
    link = tarfile.TarInfo("l.tar")
    link.type, link.linkname = tarfile.SYMTYPE, "../x/layer.tar"
    whole = tar(("manifest.json", said), ("images.tar", b"content"))
    return {
        "archive": b"\0" + whole,
        "signed": b"\1"
        + tar(("manifest.json", said), ("manifest.json.minisig", b"u"), ("images.tar", b"")),
        "images": b"\0" + images,
        "link": b"\0" + link.tobuf(tarfile.USTAR_FORMAT) + bytes(1024),
        "gnu": b"\0" + tarfile.TarInfo("n" * 90).tobuf(tarfile.GNU_FORMAT) + bytes(1024),
        "cut": b"\0" + whole[:700],
        "twice": b"\1" + tar(("a", b""), ("a", b"")),
    }
