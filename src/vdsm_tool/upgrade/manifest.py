# SPDX-License-Identifier: GPL-2.0-or-later
"""What an archive says about itself: the first member of it, and the one that is signed."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade.model import ImageId, Pair, Word

FORMAT: Final = 1
MOST: Final = 64 * 1024
"""Bytes that a manifest may have."""

NAMES: Final = ("vdsm", "supervdsm")
"""The titles of the two images."""

Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Line = Annotated[str, Meta(pattern=r"\A[ -~]{0,200}\Z")]


class Images(Struct, frozen=True, forbid_unknown_fields=True):
    """The ids of both images, which are digests of what they hold."""

    vdsm: ImageId
    supervdsm: ImageId


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """A further member of the archive; `size` in bytes."""

    sha256: Sha256
    size: Annotated[int, Meta(ge=0)]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`manifest.json`. `created` is a time as RFC 3339 writes it, in UTC."""

    format: int
    version: Word
    contract: Word
    revision: Line
    architecture: Word
    created: Line
    images: Images
    files: dict[Annotated[str, Meta(max_length=100)], File]

    @property
    def pair(self) -> Pair:
        """The pair of images that the archive holds."""
        return Pair(
            vdsm=self.images.vdsm,
            supervdsm=self.images.supervdsm,
            version=self.version,
            contract=self.contract,
            revision=self.revision,
            architecture=self.architecture,
        )


class _Formatted(Struct):
    """What every format of the manifest has."""

    format: int


def make(pair: Pair, created: str, files: dict[str, File]) -> Manifest:
    """Return the manifest of an archive of `pair`."""
    return Manifest(
        format=FORMAT,
        version=pair.version,
        contract=pair.contract,
        revision=pair.revision,
        architecture=pair.architecture,
        created=created,
        images=Images(pair.vdsm, pair.supervdsm),
        files=files,
    )


def encode(manifest: Manifest) -> bytes:
    """Return the file that says `manifest`."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def parse(content: bytes) -> Manifest:
    """Return what `content` says. Raises ToolError, which names the field that is wrong."""
    try:
        written = msgspec.json.decode(content, type=_Formatted).format
        if written != FORMAT:
            raise ToolError(
                f"its manifest has format {written}; this vdsm-tool knows {FORMAT}",
                "Take an archive that was made for this release, or upgrade in smaller steps.",
            )
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(f"its manifest.json is wrong: {error}") from None
