# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON files of an upgrade: the archive's manifest, the images' manifest, the record of what
is under way.

The first byte chooses the kind. Oracle: ToolError, short; what is accepted is written and read as
the same.
"""

from collections.abc import Mapping
from functools import cache

import msgspec

from fuzz.target import require
from fuzz.targets._file import InputFile, directory
from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import docker_archive, journal, manifest, paths
from vdsm_tool.upgrade.manifest import File
from vdsm_tool.upgrade.model import Kind, Pair, Pending, Phase

IS_JSON = True
PREFIX = 1


@cache
def _file() -> InputFile:
    return InputFile(str(paths.PENDING.relative_to("/")), 0o600)


def run(data: bytes) -> None:
    readers = (_manifest, _images, _pending)
    try:
        readers[(data[0] if data else 0) % len(readers)](data[1:])
    except ToolError as error:
        require(len(error.sentence) < 1000, "an error that repeats the input")


def _manifest(content: bytes) -> None:
    found = manifest.parse(content)
    again = manifest.parse(manifest.encode(found))
    require(again == found, "another manifest")
    require("/" not in found.pair.name, "a name that leads elsewhere")
    require(all(file.size >= 0 for file in found.files.values()), "a negative size")


def _images(content: bytes) -> None:
    entries = docker_archive._entries(content)
    docker_archive._check_nameless(entries)
    again = docker_archive._entries(msgspec.json.encode(entries))
    require(again == entries, "other images")


def _pending(content: bytes) -> None:
    _file().put(content)
    found = journal.read(directory())
    require(found is not None, "nothing where something is")
    if found is not None:
        require(bool(journal.describe(found)), "an upgrade that cannot be told of")
        again = msgspec.json.decode(msgspec.json.encode(found), type=Pending)
        require(again == found, "another upgrade")


def seeds() -> Mapping[str, bytes]:
    pair = Pair("a" * 64, "b" * 64, "1.0", "1", "abc", "x86_64")
    said = manifest.make(pair, "2026-01-02T03:04:05+00:00", {"images.tar": File("c" * 64, 7)})
    pending = Pending(
        id="0123456789abcdef", kind=Kind.UPGRADE, source=["x.tar"], started=1763870000.0,
        timeout=300.0, phase=Phase.SWITCHED, old=pair, new=pair, reason="r",
    )  # fmt: skip
    images = b'[{"Config":"x.json","Layers":["l.tar"],"RepoTags":null},{"Config":"y","Layers":[]}]'
    encoded = msgspec.json.encode(pending)
    return {
        "manifest": b"\0" + manifest.encode(said),
        "format": b"\0" + manifest.encode(said).replace(b'"format": 1', b'"format": 2'),
        "images": b"\1" + images,
        "names": b"\1" + images.replace(b"null", b'["localhost/vdsm:latest"]'),
        "pending": b"\2" + encoded,
        "torn": b"\2" + encoded[:-9],
        "deep": b"\0" + b'{"format":1,"x":' + b"[" * 1200,
        "pending-deep": b"\2" + b'{"format":1,"x":' + b"[" * 1200,
    }
