# SPDX-License-Identifier: GPL-2.0-or-later
"""What a docker-archive holds (`podman save --multi-image-archive`), read without loading it.

Its `manifest.json` names the configuration of each image, which is a file called by its own
SHA-256; that number is the image's id. So labels and architecture are known before podman is asked.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, BinaryIO, Final

import msgspec
from msgspec import Meta, Struct

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import tarball
from vdsm_tool.upgrade.vet import Candidate

MANIFEST: Final = "manifest.json"
_REPOSITORIES: Final = "repositories"
"""The names of images, as the first docker wrote them."""

_MOST_MEMBERS: Final = 2000
_MOST_JSON: Final = 1024 * 1024
"""Bytes that a manifest or a configuration may have."""


class Entry(Struct, frozen=True, rename="pascal"):
    """An image: the members that are its configuration and its layers, and its names."""

    config: str
    layers: Annotated[list[str], Meta(max_length=200)]
    repo_tags: list[str] | None = None


class _Inner(Struct, frozen=True, rename="pascal"):
    labels: dict[str, str] | None = None


class _Configuration(Struct, frozen=True):
    """What interests here of an image's configuration."""

    architecture: str = ""
    config: _Inner = _Inner()


def read(file: BinaryIO, start: int, end: int) -> list[Candidate]:
    """Return the images of the docker-archive that is the bytes from `start` to `end` of `file`.

    Raises ToolError.
    """
    held = {m.name: m for m in tarball.members(file, start, end, most=_MOST_MEMBERS)}
    entries = _entries(_content(file, held, MANIFEST))
    _check_nameless(entries)
    return [_candidate(file, held, entry) for entry in entries]


def merge(sources: Sequence[BinaryIO], target: BinaryIO) -> None:
    """Write one docker-archive of all images in `sources`, without their names.

    Members that several have are written once: their names are digests of what they hold.
    Raises ToolError.
    """
    entries: list[Entry] = []
    written = {MANIFEST, _REPOSITORIES}
    for file in sources:
        end = file.seek(0, os.SEEK_END)
        held = {m.name: m for m in tarball.members(file, 0, end, most=_MOST_MEMBERS)}
        found = _entries(_content(file, held, MANIFEST))
        entries += [Entry(entry.config, entry.layers, []) for entry in found]
        for member in held.values():
            if member.name not in written:
                tarball.copy(file, member, target)
                written.add(member.name)
    tarball.add(target, MANIFEST, msgspec.json.encode(entries))
    tarball.finish(target)


def _entries(manifest: bytes) -> list[Entry]:
    try:
        return msgspec.json.decode(manifest, type=list[Entry])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(f"the {MANIFEST} of its images is wrong: {error}") from None


def _check_nameless(entries: list[Entry]) -> None:
    """podman would give the names to what it loads, whoever had them before."""
    for entry in entries:
        if entry.repo_tags:
            raise ToolError(
                f"its images bring the names {', '.join(entry.repo_tags)[:200]}",
                "`vdsm-tool archive create` saves them without names.",
            )


def _candidate(file: BinaryIO, held: dict[str, tarball.Member], entry: Entry) -> Candidate:
    content = _content(file, held, entry.config)
    image_id = PurePosixPath(entry.config).stem
    found = hashlib.sha256(content).hexdigest()
    if entry.config != f"{found}.json":
        raise ToolError(f"its image {image_id[:64]!r} has the digest {found}: it was changed")
    for layer in entry.layers:
        if layer not in held:
            raise ToolError(f"its image {image_id[:12]} lacks the layer {layer[:80]!r}")
    try:
        configuration = msgspec.json.decode(content, type=_Configuration)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(f"the configuration of its image {image_id[:12]}: {error}") from None
    labels = configuration.config.labels or {}
    return Candidate(f"image {image_id[:12]}", image_id, labels, configuration.architecture)


def _content(file: BinaryIO, held: dict[str, tarball.Member], name: str) -> bytes:
    member = held.get(name)
    if member is None or not member.is_file:
        raise ToolError(f"its images lack the file {name[:80]!r}")
    if member.size > _MOST_JSON:
        raise ToolError(f"the file {name[:80]!r} of its images is larger than {_MOST_JSON} bytes")
    return tarball.read_at(file, member.offset, member.size)
