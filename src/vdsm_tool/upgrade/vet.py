# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two images are a pair that this host can run, told by their labels alone."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade.manifest import NAMES
from vdsm_tool.upgrade.model import Pair, Word

TITLE: Final = "org.opencontainers.image.title"
VERSION: Final = "org.opencontainers.image.version"
REVISION: Final = "org.opencontainers.image.revision"
CONTRACT: Final = "org.ovirt.vdsm.contract"

_ONE_RELEASE: Final = "Give both images of one release."


class Candidate(Struct, frozen=True):
    """An image that shall be one of a pair. `source` is what the operator called it."""

    source: str
    id: str
    labels: dict[str, str]
    architecture: str


def pair(candidates: Sequence[Candidate], architecture: str) -> Pair:
    """Return the pair that the two images are, on a host of `architecture` (as Go calls it).

    Raises ToolError, which names the label, both values and the way out.
    """
    vdsm, supervdsm = _by_title(candidates)
    for image in (vdsm, supervdsm):
        for label in (VERSION, CONTRACT):
            _check_word(image, label)
    _check_equal(vdsm, supervdsm, VERSION)
    _check_equal(vdsm, supervdsm, CONTRACT)
    for image in (vdsm, supervdsm):
        if image.architecture != architecture:
            raise ToolError(
                f"{image.source} is for another architecture: {image.architecture or 'none'}; "
                f"this host is {architecture}",
                f"Give the images of this release for {architecture}.",
            )
    return Pair(
        vdsm=vdsm.id,
        supervdsm=supervdsm.id,
        version=vdsm.labels[VERSION],
        contract=vdsm.labels[CONTRACT],
        revision=_revision(vdsm, supervdsm),
        architecture=architecture,
    )


def _by_title(candidates: Sequence[Candidate]) -> tuple[Candidate, Candidate]:
    """Return vdsm's image and supervdsm's, in whichever order they were given."""
    found: dict[str, Candidate] = {}
    for image in candidates:
        title = image.labels.get(TITLE)
        if title not in NAMES:
            said = f"its label {TITLE} is {title!r}" if title else f"it has no label {TITLE}"
            raise ToolError(
                f"{image.source} is neither vdsm's image nor supervdsm's: {said}", _ONE_RELEASE
            )
        if title in found:
            raise ToolError(
                f"{found[title].source} and {image.source} are both {title}'s image: "
                f"the label {TITLE} of both is {title!r}",
                "Give one image of vdsm and one of supervdsm.",
            )
        found[title] = image
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise ToolError(f"There is no image of {' and '.join(missing)}", _ONE_RELEASE)
    return found["vdsm"], found["supervdsm"]


def _check_word(image: Candidate, label: str) -> None:
    value = image.labels.get(label, "")
    if not value:
        raise ToolError(
            f"{image.source} has no label {label}",
            "Build it by containers/images, or label it as docs/upgrade.md says.",
        )
    if not _is_word(value):
        raise ToolError(
            f"{image.source} has the label {label}={value!r}",
            "It must be at most 64 letters, digits and . _ + ~ -, and begin with one of the first.",
        )


def _is_word(text: str) -> bool:
    try:
        msgspec.convert(text, type=Word)
    except msgspec.ValidationError:
        return False
    return True


def _check_equal(vdsm: Candidate, supervdsm: Candidate, label: str) -> None:
    ours, theirs = vdsm.labels[label], supervdsm.labels[label]
    if ours != theirs:
        raise ToolError(
            f"The images do not belong together: {label} is {ours} in {vdsm.source} (vdsm) and "
            f"{theirs} in {supervdsm.source} (supervdsm)",
            _ONE_RELEASE,
        )


def _revision(vdsm: Candidate, supervdsm: Candidate) -> str:
    """The commit, for people: two that differ only in it are a pair all the same."""
    both = dict.fromkeys(image.labels.get(REVISION, "") for image in (vdsm, supervdsm))
    return " and ".join(text for text in both if text and text.isascii() and text.isprintable())[
        :200
    ]
