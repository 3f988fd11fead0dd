# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain tar files: a strict reader, for files that nobody vouches for, and what writes them.

It takes what podman, buildah and `archive create` write: regular files, links, short names, no
extensions. All else is refused, so that two readers cannot see two different things in one file.
Nothing is unpacked, and what is read at once is one block.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from msgspec import Struct

from vdsm_tool.errors import ToolError

BLOCK: Final = 512
_RECORD: Final = 20 * BLOCK
"""Bytes that tar fills up with zeros at the end of a file."""
_ZEROS: Final = bytes(BLOCK)
_CHUNK: Final = 1024 * 1024


class Member(Struct, frozen=True):
    """A member: its content is `size` bytes at `offset` of the file."""

    name: str
    is_file: bool
    """Whether it is a regular file. Else it is a symbolic link, of which nothing is read."""
    offset: int
    size: int


class BadTarError(ToolError):
    """The file is no tar, is cut short, or holds what it must not."""


def members(file: BinaryIO, start: int, end: int, *, most: int) -> Iterator[Member]:
    """Yield the members of the tar that is the bytes from `start` to `end` of `file`.

    After the last one, checks that nothing follows but the zeros that end a tar.
    Raises BadTarError, also when there are more than `most` members or two of one name.
    """
    names: set[str] = set()
    position = start
    while True:
        header = read_at(file, position, min(BLOCK, end - position))
        if len(header) < BLOCK:
            raise BadTarError(f"it is cut short at byte {position}")
        position += BLOCK
        if header == _ZEROS:
            _check_end(file, position, end)
            return
        member = _parse(header, position)
        if member.name in names:
            raise BadTarError(f"it holds {member.name} twice")
        names.add(member.name)
        if len(names) > most:
            raise BadTarError(f"it holds more than {most} members")
        padded = position + -(-member.size // BLOCK) * BLOCK
        if padded > end:
            raise BadTarError(f"it is cut short within {member.name}")
        filling = position + member.size
        if read_at(file, filling, padded - filling).strip(b"\0"):
            raise BadTarError(f"it hides something behind {member.name}")
        yield member
        position = padded


def read_at(file: BinaryIO, position: int, size: int) -> bytes:
    """Return `size` bytes at `position`, or fewer when the file ends before."""
    file.seek(position)
    return file.read(max(size, 0))


def _parse(header: bytes, position: int) -> Member:
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError, ValueError) as error:
        raise BadTarError(f"it is no tar: the header at byte {position - BLOCK}: {error}") from None
    is_file = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
    if not is_file and not (info.type == tarfile.SYMTYPE and info.size == 0):
        raise BadTarError(f"its member {info.name!r} is neither a regular file nor a link")
    if info.size < 0:
        raise BadTarError(f"its member {info.name!r} has a negative size")
    if not info.name.isprintable():
        raise BadTarError(f"its member {info.name!r} has no name to print")
    return Member(info.name, is_file, position, info.size)


def _check_end(file: BinaryIO, position: int, end: int) -> None:
    """Check what follows the first block of zeros: one more of them, and filling."""
    rest = end - position
    if rest < BLOCK:
        raise BadTarError("it is cut short at its very end")
    if rest > _RECORD or read_at(file, position, rest).strip(b"\0"):
        raise BadTarError(f"something follows its end at byte {position}")


def add(target: BinaryIO, name: str, content: bytes) -> None:
    """Write a member that holds `content`."""
    target.write(_header(name, len(content)) + content + bytes(-len(content) % BLOCK))


def add_file(target: BinaryIO, name: str, content: BinaryIO) -> None:
    """Write a member that holds all of the file `content`."""
    size = content.seek(0, os.SEEK_END)
    target.write(_header(name, size))
    content.seek(0)
    shutil.copyfileobj(content, target, _CHUNK)
    target.write(bytes(-size % BLOCK))


def copy(source: BinaryIO, member: Member, target: BinaryIO) -> None:
    """Write a member as it is in the tar `source`."""
    source.seek(member.offset - BLOCK)
    left = BLOCK + member.size + -member.size % BLOCK
    while left:
        piece = source.read(min(_CHUNK, left))
        if not piece:
            raise BadTarError(f"it is cut short within {member.name}")
        target.write(piece)
        left -= len(piece)


def finish(target: BinaryIO) -> None:
    """Write what ends a tar."""
    target.write(bytes(2 * BLOCK))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.USTAR_FORMAT)
