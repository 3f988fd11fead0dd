# SPDX-License-Identifier: GPL-2.0-or-later
"""Getting the pair that an operator names into podman's store, vetted.

One source is an archive of the host; two are images: names or ids that podman knows, or references
that it can pull. What is refused leaves nothing behind: images that came for it are removed again.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import archive, hostfile, images, signature, vet
from vdsm_tool.upgrade.model import Pair, Tell
from vdsm_tool.upgrade.vet import Candidate

_ID: Final = re.compile(r"(sha256:)?[0-9a-f]{12,64}")


def fetch(sources: Sequence[str], host: Host, tell: Tell) -> Pair:
    """Return the pair of `sources`: it is in podman's store, fits this host, and is kept by tags.

    Raises ToolError.
    """
    if len(sources) == 1:
        checked = _check_archive(sources[0], host, tell)
        if _is_here(checked.pair):
            tell("both images are here already")
        else:
            _check_space(checked.images.size, host)
            _load(checked, tell)
        pair = checked.pair
    else:
        pair = pull(sources, host, tell)
    images.tag(pair)
    return pair


def examine(sources: Sequence[str], host: Host, tell: Tell) -> Pair:
    """Return the pair that `fetch` would; nothing is loaded, pulled or tagged. Raises ToolError."""
    if len(sources) == 1:
        checked = _check_archive(sources[0], host, tell)
        if not _is_here(checked.pair):
            _check_space(checked.images.size, host)
        return checked.pair
    return vet.pair([_find(name) for name in _two(sources)], images.architecture())


def _check_archive(name: str, host: Host, tell: Tell) -> archive.Archive:
    try:
        path = hostfile.existing(name, host)
    except ToolError as error:
        raise ToolError(error.sentence, "Give one archive, or two images.") from error
    return archive.check(path, signature.public_key(host), images.architecture(), tell)


def _is_here(pair: Pair) -> bool:
    return images.exists(pair.vdsm) and images.exists(pair.supervdsm)


# --- archives ---------------------------------------------------------------------------------


def _load(checked: archive.Archive, tell: Tell) -> None:
    """Load the images of an archive, and look at what podman then has."""
    pair = checked.pair
    with _removed_on_failure((pair.vdsm, pair.supervdsm)) as fresh:
        with checked.path.open("rb") as file:
            tell(f"loading {checked.path.name}: version {pair.version}")
            content = archive.chunks(
                file, checked.manifest, checked.images, tell, "handing over to podman"
            )
            loaded = {_find(name).id for name in images.load(content)}
        fresh.extend(loaded)
        if loaded != {pair.vdsm, pair.supervdsm}:
            raise ToolError(f"{checked.path.name} brought images that its manifest does not name")
        found = vet.pair([_find(pair.vdsm), _find(pair.supervdsm)], pair.architecture)
        if found != pair:
            raise ToolError(f"podman has {found} after loading, and the manifest says {pair}")
        tell("podman has both images")


@contextlib.contextmanager
def _removed_on_failure(expected: Iterable[str]) -> Iterator[list[str]]:
    """Remove images that were not here before, if the block fails.

    That is `expected`, and those that the block adds to the list; all by their ids.
    """
    before = images.ids()
    added: list[str] = []
    try:
        yield added
    except BaseException:
        for image_id in {*expected, *added} - before:
            with contextlib.suppress(ToolError):
                images.remove(image_id)
        raise


# --- references -------------------------------------------------------------------------------


def pull(sources: Sequence[str], host: Host, tell: Tell) -> Pair:
    """Return the pair of two images. What podman does not have by these names, it pulls.

    Raises ToolError.
    """
    found = []
    with _removed_on_failure(()) as fresh:
        for name in _two(sources):
            image = images.find(name)
            if image is None and not _ID.fullmatch(name):
                _check_space(0, host)
                tell(f"pulling {name}")
                image = images.pull(name, tell)
                fresh.append(image.id)
            elif image is not None:
                tell(f"{name} is here: {image.id[:12]}")
            found.append(image or _find(name))
        return vet.pair(found, images.architecture())


def _two(sources: Sequence[str]) -> Sequence[str]:
    if len(sources) != 2:
        raise ToolError(f"{len(sources)} sources are given", "Give one archive, or two images.")
    return sources


def _find(name: str) -> Candidate:
    image = images.find(name)
    if image is None:
        raise ToolError(
            f"podman has no image {name}",
            f"`podman images` shows what is here; `podman pull {name}` gets what a registry has.",
        )
    return image


# --- space ------------------------------------------------------------------------------------


def _check_space(size: int, host: Host) -> None:
    """Check that `size` bytes of images can be loaded. Raises ToolError, which names both figures.

    podman copies what it is given, and unpacks the copy beside itself to see whether it is an
    oci-archive; only then it unpacks the layers to where they stay.
    """
    space = images.space()
    root = hostfile.existing(space.graph_root, host)
    temporary = hostfile.existing(space.temporary, host)
    if root.stat().st_dev == temporary.stat().st_dev:
        _check_free(space.graph_root, root, 2 * size + images.MARGIN)
    else:
        _check_free(space.graph_root, root, size + images.MARGIN)
        _check_free(space.temporary, temporary, 2 * size)


def _check_free(name: str, path: Path, wanted: int) -> None:
    system = os.statvfs(path)
    free = system.f_bavail * system.f_frsize
    if free < wanted:
        raise ToolError(
            f"The file system of {name} has {_mega(free)} free, and {_mega(wanted)} are needed",
            images.MAKE_ROOM,
        )


def _mega(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"
