# SPDX-License-Identifier: GPL-2.0-or-later
"""What was asked for while an upgrade swaps the pair: unmounts, and changes of networks.

An upgrade compares mounts and networks before and after the swap. What a client of vdsm has had
removed or changed meanwhile is no damage, but looks like it. So the upgrade makes an empty file
below /run, and while that is there supervdsm adds a line for what a call may take away: before it
touches anything, and once it has ended, so that a call which was under way when the file came is
not missed. Without the file nothing is written. It says what was asked for, not what was done.
"""

import logging
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from vdsm_contract.paths import RUN_DIR

FILE_NAME: Final = "upgrade.asked"
PATH: Final = RUN_DIR / FILE_NAME
_log: Final = logging.getLogger(__name__)
_MOST: Final = 4 * 1024 * 1024
"""Bytes. What does not fit is not excused: vdsm cannot fill /run by asking on and on."""
_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the file, or all of them."""

    mounts: frozenset[str] = frozenset()
    """Targets that are unmounted."""
    devices: frozenset[str] = frozenset()
    """Names of devices that a change of networks may touch."""
    mirrored: frozenset[str] = frozenset()
    """Names of bridges whose mirroring of ports ends."""


@contextmanager
def noted(
    path: Path = PATH,
    *,
    mounts: Collection[str] = (),
    devices: Collection[str] = (),
    mirrored: Collection[str] = (),
) -> Iterator[None]:
    """Write down that the block may take away these, if an upgrade wants to know. Never raises by
    itself: a note that cannot be written must not fail the call."""
    asked = Asked(frozenset(mounts), frozenset(devices), frozenset(mirrored))
    _note(path, asked)
    try:
        yield
    finally:
        _note(path, asked)


def _note(path: Path, asked: Asked) -> None:
    if asked == Asked():
        return
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | _FLAGS)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("An upgrade may take what was asked for now for damage: %s", error)
        return
    try:
        # The newline before it ends a line that was cut off.
        line = b"\n" + msgspec.json.encode(asked) + b"\n"
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size + len(line) > _MOST:
            _log.warning("An upgrade may take what was asked for now for damage: %s is full", path)
            return
        written = os.write(fd, line)
        if written < len(line):
            _log.warning(
                "An upgrade may take what was asked for now for damage: %d of %d bytes fit into %s",
                *(written, len(line), path),
            )
    except (OSError, ValueError) as error:  # ValueError: a name that is no UTF-8
        _log.warning("An upgrade may take what was asked for now for damage: %s", error)
    finally:
        os.close(fd)


def begin(path: Path = PATH) -> None:
    """Let what is asked for be noted, from now on. Raises OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600))


def end(path: Path = PATH) -> None:
    """Let nothing be noted any more, and forget what was. Raises OSError."""
    path.unlink(missing_ok=True)


def read(path: Path = PATH) -> Asked:
    """Return what was asked for since `begin`; nothing when there is no file. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return Asked()
    with open(fd, "rb") as file:
        lines = file.read(_MOST).splitlines()
    found: list[Asked] = []
    for line in filter(None, lines):
        try:
            found.append(msgspec.json.decode(line, type=Asked))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue  # cut off by a kill, or by a disk that is full
    return Asked(
        frozenset[str]().union(*(one.mounts for one in found)),
        frozenset[str]().union(*(one.devices for one in found)),
        frozenset[str]().union(*(one.mirrored for one in found)),
    )
