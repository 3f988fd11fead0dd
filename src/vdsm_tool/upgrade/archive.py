# SPDX-License-Identifier: GPL-2.0-or-later
"""A pair in one file: an uncompressed tar of three members, in this order, each once.

    manifest.json           see manifest.py
    manifest.json.minisig   minisign's signature of it; may be missing
    images.tar              both images, as `podman save --multi-image-archive` writes them

The signature covers the manifest, and the manifest the rest: the digest of images.tar, and the ids
of the images. `check` looks at all of it without podman; nothing is loaded before that.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import docker_archive, manifest, signature, tarball, vet
from vdsm_tool.upgrade.manifest import File, Manifest
from vdsm_tool.upgrade.model import Pair, Tell

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.json.minisig"
IMAGES: Final = "images.tar"

_MOST: Final = {MANIFEST: manifest.MOST, SIGNATURE: signature.MOST, IMAGES: 8 * 1024**3 - 1}
"""Bytes that each member may have; a plain tar cannot say more than 8 GiB."""
_SAID_TWICE: Final = ("version", "contract", "revision", "architecture")
"""By the manifest, and by the labels of the images."""
_CHUNK: Final = 1024 * 1024
_ORDERS: Final = ((MANIFEST, IMAGES), (MANIFEST, SIGNATURE, IMAGES))


class Archive(Struct, frozen=True):
    """An archive that was checked. `signer` is the trusted comment of a signature that is right."""

    path: Path
    manifest: Manifest
    images: tarball.Member
    is_signed: bool
    signer: str | None

    @property
    def pair(self) -> Pair:
        """The pair of images that it holds."""
        return self.manifest.pair


def check(path: Path, key: Path | None, architecture: str | None, tell: Tell) -> Archive:
    """Check all that can be known of an archive without podman.

    With a public `key` it must be signed by it; with an `architecture` its images must be for
    that one. Raises ToolError, which says what is wrong with it.
    """
    try:
        if not path.is_file():
            raise ToolError("it is not a file")
        with path.open("rb") as file:
            return _check(path, file, key, architecture, tell)
    except ToolError as error:
        hint = error.hint or "Copy it anew from where it comes; do not use this one."
        raise ToolError(f"{path.name} is refused: {error.sentence}", hint) from error


def _check(
    path: Path, file: BinaryIO, key: Path | None, architecture: str | None, tell: Tell
) -> Archive:
    held = _members(file, os.fstat(file.fileno()).st_size)
    content = tarball.read_at(file, held[MANIFEST].offset, held[MANIFEST].size)
    signed = None
    if SIGNATURE in held:
        signed = tarball.read_at(file, held[SIGNATURE].offset, held[SIGNATURE].size)
    signer = None
    if key is not None:
        signer = signature.check(content, signed, key)
        tell(f"the signature is right: {signer}")
    said = manifest.parse(content)
    images = held[IMAGES]
    _check_size(said, images)
    for _ in chunks(file, said, images, tell, "checking"):
        pass
    _check_images(file, said, images, architecture)
    return Archive(path, said, images, signed is not None, signer)


def _members(file: BinaryIO, end: int) -> dict[str, tarball.Member]:
    held: dict[str, tarball.Member] = {}
    for member in tarball.members(file, 0, end, most=len(_MOST)):
        if member.name not in _MOST or not member.is_file:
            raise ToolError(f"it holds {member.name[:80]!r}, which is no part of an archive")
        if member.size > _MOST[member.name]:
            raise ToolError(f"{member.name} is larger than {_MOST[member.name]} bytes")
        held[member.name] = member
    if tuple(held) not in _ORDERS:
        raise ToolError(f"it holds {', '.join(held) or 'nothing'}; wanted is {MANIFEST}, {IMAGES}")
    return held


def _check_size(said: Manifest, images: tarball.Member) -> None:
    if set(said.files) != {IMAGES}:
        raise ToolError(f"its manifest names {', '.join(sorted(said.files)) or 'no files'}")
    if said.files[IMAGES].size != images.size:
        raise ToolError(
            f"{IMAGES} has {images.size} bytes, and {said.files[IMAGES].size} in its manifest"
        )


def chunks(
    file: BinaryIO, said: Manifest, images: tarball.Member, tell: Tell, doing: str
) -> Iterator[bytes]:
    """Yield images.tar; before its last piece, raise ToolError if its digest is not the manifest's.

    So whoever takes the pieces never has all of a file that is wrong.
    """
    digest = hashlib.sha256()
    last = b""
    done = 0
    percent = _percent(tell, doing, images.size)
    file.seek(images.offset)
    while done < images.size:
        piece = file.read(min(_CHUNK, images.size - done))
        if not piece:
            raise ToolError(f"{IMAGES} is cut short at byte {done}")
        digest.update(piece)
        done += len(piece)
        if last:
            yield last
        last = piece
        percent(done)
    wanted = said.files[IMAGES].sha256
    if digest.hexdigest() != wanted:
        raise ToolError(
            f"{IMAGES} has the SHA-256 {digest.hexdigest()}, and {wanted} in its manifest: "
            "it was changed or damaged"
        )
    yield last


def _percent(tell: Tell, doing: str, size: int) -> Callable[[int], None]:
    """Return a function that takes how many bytes are done, and tells each tenth of them."""
    told = 0

    def done(count: int) -> None:
        nonlocal told
        tenths = 10 * count // size
        if tenths > told:
            told = tenths
            tell(f"{doing} {count // 1_000_000} of {size // 1_000_000} MB ({tenths}0 %)")

    return done


def _check_images(
    file: BinaryIO, said: Manifest, images: tarball.Member, architecture: str | None
) -> None:
    """Check that images.tar holds the two images of the manifest, and that these are a pair."""
    found = docker_archive.read(file, images.offset, images.offset + images.size)
    wanted = sorted((said.images.vdsm, said.images.supervdsm))
    if sorted(image.id for image in found) != wanted:
        ids = ", ".join(image.id for image in found) or "nothing"
        raise ToolError(f"it holds the images {ids}, and {', '.join(wanted)} in its manifest")
    pair = vet.pair(found, architecture or said.architecture)
    for name in ("vdsm", "supervdsm", *_SAID_TWICE):
        ours, theirs = getattr(pair, name), getattr(said.pair, name)
        if ours != theirs:
            raise ToolError(f"{name} is {ours} in its images, and {theirs} in its manifest")


# --- making one -------------------------------------------------------------------------------


def create(target: Path, save: Callable[[BinaryIO], Pair], key: Path | None, tell: Tell) -> Archive:
    """Make the archive `target` of the pair that `save` writes and returns, signed by a secret key.

    It appears whole or not at all, in place of a file of that name. Twice its size must be free
    beside it. Raises ToolError, OSError.
    """
    with (
        _temporary(target.parent, ".vdsm-images-") as (images, _),
        _temporary(target.parent, ".vdsm-archive-") as (whole, partial),
    ):
        pair = save(images)
        size, digest = _measure(images)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        content = manifest.encode(manifest.make(pair, created, {IMAGES: File(digest, size)}))
        tarball.add(whole, MANIFEST, content)
        if key is not None:
            comment = f"vdsm {pair.version}, contract {pair.contract}, {created}"
            tarball.add(whole, SIGNATURE, signature.sign(content, key, comment))
        tarball.add_file(whole, IMAGES, images)
        tarball.finish(whole)
        whole.flush()
        made = check(partial, None, None, tell)
        os.fchmod(whole.fileno(), 0o644)
        os.fsync(whole.fileno())
        partial.rename(target)
    return Archive(target, made.manifest, made.images, made.is_signed, None)


def _measure(file: BinaryIO) -> tuple[int, str]:
    """Return the size in bytes of a file, and its SHA-256."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_CHUNK):
        digest.update(piece)
    return file.tell(), digest.hexdigest()


@contextmanager
def _temporary(directory: Path, prefix: str) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a file that is gone at the end, unless it was renamed; yield it and its path."""
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=directory)
    path = Path(name)
    try:
        with open(descriptor, "w+b") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)
