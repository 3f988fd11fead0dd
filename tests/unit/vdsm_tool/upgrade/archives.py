# SPDX-License-Identifier: GPL-2.0-or-later
"""Archives of small images, whole or with one thing wrong."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdsm_tool.upgrade import archive, manifest
from vdsm_tool.upgrade.vet import CONTRACT, REVISION, TITLE, VERSION

ARCHITECTURE = "amd64"


def tar(members: dict[str, bytes]) -> bytes:
    """Return a tar of regular files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return content.getvalue()


def configuration(name: str, architecture: str = ARCHITECTURE, **labels: str) -> bytes:
    """Return the configuration of the image of `name`; `labels` by their last word."""
    said = {"title": name, "version": "1.2", "contract": "7", "revision": "abc", **labels}
    full = {"title": TITLE, "version": VERSION, "contract": CONTRACT, "revision": REVISION}
    inner = {"Labels": {full[word]: value for word, value in said.items()}}
    return json.dumps({"architecture": architecture, "config": inner}).encode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def docker_archive(*configurations: bytes, tags: list[str] | None = None) -> bytes:
    """Return a docker-archive of images that share one layer."""
    layer = tar({"file": b"content"})
    members = {f"{digest(layer)}.tar": layer}
    entries = []
    for content in configurations:
        members[f"{digest(content)}.json"] = content
        layers = [f"{digest(layer)}.tar"]
        entries.append({"Config": f"{digest(content)}.json", "RepoTags": tags, "Layers": layers})
    return tar({**members, "manifest.json": json.dumps(entries).encode()})


@dataclass
class Parts:
    """The parts of an archive. What a test changes is what is wrong."""

    vdsm: bytes = field(default_factory=lambda: configuration("vdsm"))
    supervdsm: bytes = field(default_factory=lambda: configuration("supervdsm"))
    tags: list[str] | None = None
    images: bytes = b""
    said: dict[str, Any] = field(default_factory=dict)
    """What the manifest says in place of the truth."""
    signature: bytes | None = None

    def manifest(self) -> bytes:
        """Return manifest.json."""
        self.images = self.images or docker_archive(self.vdsm, self.supervdsm, tags=self.tags)
        truth = {
            "format": manifest.FORMAT,
            "version": "1.2",
            "contract": "7",
            "revision": "abc",
            "architecture": ARCHITECTURE,
            "created": "2026-01-01T00:00:00+00:00",
            "images": {"vdsm": digest(self.vdsm), "supervdsm": digest(self.supervdsm)},
            "files": {archive.IMAGES: {"sha256": digest(self.images), "size": len(self.images)}},
        }
        return json.dumps({**truth, **self.said}).encode()

    def members(self) -> dict[str, bytes]:
        """Return the members of the archive."""
        members = {archive.MANIFEST: self.manifest()}
        if self.signature is not None:
            members[archive.SIGNATURE] = self.signature
        return {**members, archive.IMAGES: self.images}

    def write(self, path: Path) -> Path:
        """Write the archive; return its path."""
        path.write_bytes(tar(self.members()))
        return path
