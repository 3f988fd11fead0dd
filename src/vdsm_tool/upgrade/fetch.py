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
        pair = _pull(sources, host, tell)
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
    path = _archive_path(name, host)
    return archive.check(path, signature.public_key(host), images.architecture(), tell)


def _archive_path(name: str, host: Host) -> Path:
    try:
        path = hostfile.existing(name, host)
    except ToolError as error:
        raise ToolError(error.sentence, "Give one archive, or two images.") from error
    if not path.is_file():
        raise ToolError(f"{name} is not a file", "Give one archive, or two images.")
    return path


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
            names = images.load(content)
        fresh.extend(name for name in names if _loaded_id(name) not in (pair.vdsm, pair.supervdsm))
        if fresh:
            raise ToolError(f"{checked.path.name} brought images that its manifest does not name")
        found = vet.pair([_find(pair.vdsm), _find(pair.supervdsm)], pair.architecture)
        if found != pair:
            raise ToolError(f"podman has {found} after loading, and the manifest says {pair}")
        tell("podman has both images")


def _loaded_id(name: str) -> str:
    """Return the id of an image by the name that podman called it when it was loaded."""
    found = images.find(name)
    return found.id if found else ""


@contextlib.contextmanager
def _removed_on_failure(expected: Iterable[str]) -> Iterator[list[str]]:
    """Remove images that were not here before, if the block fails.

    That is `expected`, by their ids, and those whose ids or names the block adds to the list.
    """
    before = images.ids()
    added: list[str] = []
    try:
        yield added
    except BaseException:
        for name in (*expected, *added):
            with contextlib.suppress(ToolError):
                found = images.find(name)
                if found and found.id not in before:
                    images.remove(found.id)
        raise


# --- references -------------------------------------------------------------------------------


def _pull(sources: Sequence[str], host: Host, tell: Tell) -> Pair:
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
    """Check that `size` bytes of images can be loaded: podman copies them before it unpacks them.

    Raises ToolError, which names the file system and both figures.
    """
    space = images.space()
    wanted: dict[int, int] = {}
    places: dict[int, tuple[str, int]] = {}
    for name, needed in ((space.graph_root, size + images.MARGIN), (space.temporary, size)):
        path = hostfile.existing(name, host)
        device = path.stat().st_dev
        wanted[device] = wanted.get(device, 0) + needed
        free = os.statvfs(path)
        places.setdefault(device, (name, free.f_bavail * free.f_frsize))
    for device, (name, free_bytes) in places.items():
        if free_bytes < wanted[device]:
            raise ToolError(
                f"The file system of {name} has {_mega(free_bytes)} free, and "
                f"{_mega(wanted[device])} are needed",
                "Make room: `vdsm-tool history --prune` removes images of former releases, "
                "`podman system df` shows what is there.",
            )


def _mega(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"
