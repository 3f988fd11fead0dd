# SPDX-License-Identifier: GPL-2.0-or-later
"""The pins: which pair Quadlet makes units of. The layout is in `paths`.

A pair's directory never changes once it is complete; `current` names one of them, and one rename(2)
changes it. Everything is on disk before that rename. The link that brings a pair back is made
in advance (`prepare`), so that a full disk cannot stop the way back.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import durable, paths
from vdsm_tool.upgrade.model import Pair

_DROP_IN: Final = """\
# Written by vdsm-tool: {name}. The pair is changed by `vdsm-tool upgrade`, never here.
[Container]
Image={image}
"""
_WAY_OUT: Final = "`vdsm-tool pin VDSM SUPERVDSM` pins a pair of images that podman has."


def current(root: Path) -> Pair | None:
    """Return the pinned pair of the host's tree `root`, None when none was ever pinned.

    Raises ToolError when the pins are damaged: they say what runs, so nothing is guessed.
    """
    link = _below(root, paths.CURRENT)
    try:
        name = str(link.readlink())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ToolError(f"{paths.CURRENT} is not a link: {error.strerror}", _WAY_OUT) from error
    if "/" in name or name in ("", ".", ".."):
        raise ToolError(f"{paths.CURRENT} leads out of {paths.PINS}: {name}", _WAY_OUT)
    return _read(root, name)


def is_current(root: Path, pair: Pair) -> bool:
    """Return whether `pair` is pinned; damaged pins pin nothing."""
    try:
        return current(root) == pair
    except ToolError:
        return False


def write(root: Path, pair: Pair) -> None:
    """Write the directory of `pair`; nothing runs by it yet. One that is complete is left alone.

    Raises ToolError when the pair is not fit to be a file's name or a drop-in.
    """
    _check(pair)
    with suppress(ToolError):
        if _read(root, pair.name) == pair:
            return
    directory = _below(root, paths.PINS) / pair.name
    durable.make_directory(directory)
    for name, data in _files(pair).items():
        durable.write(directory / name, data)


def prepare(root: Path, pair: Pair) -> None:
    """Write the directory of `pair` and the link that `switch` renames."""
    write(root, pair)
    link = _link(root, pair)
    with suppress(OSError):
        if str(link.readlink()) == pair.name:
            return
    link.unlink(missing_ok=True)
    link.symlink_to(pair.name)
    durable.sync_directory(link.parent)


def switch(root: Path, pair: Pair) -> None:
    """Pin `pair`: one rename, and it is on disk."""
    prepare(root, pair)
    link = _link(root, pair)
    link.rename(_below(root, paths.CURRENT))
    # A rename to another link to the same place may leave both; nothing is lost by it.
    link.unlink(missing_ok=True)
    durable.sync_directory(link.parent)


def forget_links(root: Path) -> None:
    """Remove the links that were made in advance."""
    directory = _below(root, paths.PINS)
    for link in directory.glob(".*.link"):
        link.unlink(missing_ok=True)
    durable.sync_directory(directory)


def pinned(root: Path) -> list[Pair]:
    """Return all pairs that have a complete directory, whether current or not."""
    directory = _below(root, paths.PINS)
    pairs = []
    for path in sorted(directory.glob("*/pair.json")):
        with suppress(ToolError):
            pairs.append(_read(root, path.parent.name))
    return pairs


def _read(root: Path, name: str) -> Pair:
    directory = _below(root, paths.PINS) / name
    data = durable.read(directory / "pair.json")
    if data is None:
        raise ToolError(f"{paths.PINS}/{name}/pair.json is missing", _WAY_OUT)
    try:
        pair = msgspec.json.decode(data, type=Pair)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(f"{paths.PINS}/{name}/pair.json: {error}", _WAY_OUT) from error
    if pair.name != name:
        raise ToolError(f"{paths.PINS}/{name} is the directory of {pair.name}", _WAY_OUT)
    for file, wanted in _files(pair).items():
        if _image(durable.read(directory / file)) != _image(wanted):
            raise ToolError(
                f"{paths.PINS}/{name}/{file} does not say what pair.json says", _WAY_OUT
            )
    return pair


def _files(pair: Pair) -> dict[str, bytes]:
    def drop_in(image: str) -> bytes:
        return _DROP_IN.format(name=pair.name, image=image).encode()

    return {
        "supervdsm.conf": drop_in(pair.supervdsm),
        "vdsm.conf": drop_in(pair.vdsm),
        "pair.json": msgspec.json.format(msgspec.json.encode(pair)) + b"\n",
    }


def _image(data: bytes | None) -> list[bytes]:
    """Return what decides in a drop-in."""
    lines = (data or b"").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(b"#")]


def _check(pair: Pair) -> None:
    try:
        msgspec.convert(msgspec.to_builtins(pair), type=Pair)
    except msgspec.ValidationError as error:
        raise ToolError(
            f"These images cannot be pinned: {error}", "Their labels are not of a release."
        ) from error


def _link(root: Path, pair: Pair) -> Path:
    return _below(root, paths.PINS) / f".{pair.name}.link"


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
