# SPDX-License-Identifier: GPL-2.0-or-later
"""The upgrade under way, on disk: what a SIGKILL or a power cut leaves for the one who undoes it.

Each phase and each step between two of them goes through `passed`, once it is on disk. Whoever
changes anything holds the lock. The file has a format number, as the old image reads what the new
one wrote.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import durable, paths
from vdsm_tool.upgrade.model import FORMAT, Pending, Phase, Step, Tell

_PAUSE: Final = 0.1
"""Seconds between two tries to take the lock."""


class Busy(ToolError):
    """Somebody else changes the pair of this host."""


class UnknownFormat(ToolError):
    """A file was written by a release that this one cannot follow."""


def passed(step: Step, tell: Tell) -> None:
    """Tell that `step` is done and on disk. Every step of every upgrade comes by here, once."""
    tell(step.value)


@contextmanager
def locked(root: Path, *, wait: float = 0) -> Iterator[None]:
    """Hold the lock. Raises Busy when somebody has it and still does after `wait` seconds."""
    path = _below(root, paths.LOCK)
    durable.make_directory(path.parent, 0o700)
    deadline = time.monotonic() + wait
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise busy(root) from None
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(fd)


def busy(root: Path) -> Busy:
    """Return the error that says what is under way."""
    try:
        pending = read(root)
    except ToolError:
        pending = None
    what = f"{describe(pending)} is under way" if pending else "Another vdsm-tool changes the pair"
    return Busy(
        f"{what}: nothing was changed",
        "`journalctl --follow --unit=vdsm-upgrade.service` shows how far it is.",
    )


def describe(pending: Pending) -> str:
    """Return `pending` in a few words."""
    to = f" to {pending.new.version}" if pending.new else f" from {' '.join(pending.source)}"
    return f"The {pending.kind}{to} of {_when(pending)} ({pending.phase})"


def _when(pending: Pending) -> str:
    try:
        return time.strftime("%F %T", time.localtime(pending.started))
    except (OSError, OverflowError, ValueError):  # the file may say any number
        return f"{pending.started:g} s after 1970"


def read(root: Path) -> Pending | None:
    """Return the upgrade under way, None when there is none.

    Raises UnknownFormat or ToolError when the file cannot be understood.
    """
    data = durable.read(_below(root, paths.PENDING))
    if data is None:
        return None
    try:
        check_format(data, paths.PENDING)
        return msgspec.json.decode(data, type=Pending)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(f"{paths.PENDING}: {error}", _way_out()) from error


def _way_out() -> str:
    return (
        "`readlink /etc/vdsm/pins/current` names the pinned pair. Is it well (`vdsm-tool status`), "
        f"remove {paths.PENDING}."
    )


class _Format(msgspec.Struct):
    format: int


def check_format(data: bytes, path: Path) -> None:
    """Raise UnknownFormat when `data` is of another format, MsgspecError when it has none."""
    found = msgspec.json.decode(data, type=_Format).format
    if found != FORMAT:
        raise UnknownFormat(
            f"{path} has format {found}; this vdsm-tool knows {FORMAT}",
            "Use the vdsm-tool of the release that wrote it: VDSM_TOOL_IMAGE=IMAGE vdsm-tool …",
        )


def begin(root: Path, pending: Pending, tell: Tell) -> None:
    """Put a new upgrade on record."""
    durable.remove(_below(root, paths.IMAGES_ENV))  # of the one before
    _write(root, pending)
    passed(Step.FETCHING, tell)


def update(root: Path, pending: Pending, **changes: object) -> Pending:
    """Write what is known by now; not a step."""
    pending = msgspec.structs.replace(pending, **changes)
    _write(root, pending)
    return pending


def advance(root: Path, pending: Pending, phase: Phase, tell: Tell, **changes: object) -> Pending:
    """Record that `phase` is done. The one place where a phase is recorded."""
    pending = update(root, pending, phase=phase, **changes)
    passed(Step[phase.name], tell)
    return pending


def blame(root: Path, reason: str) -> None:
    """Record why the upgrade fails, for the one who undoes it."""
    pending = read(root)
    if pending is not None:
        update(root, pending, reason=reason)


def end(root: Path, tell: Tell) -> None:
    """Take the upgrade off the record."""
    durable.remove(_below(root, paths.PENDING))
    passed(Step.DONE, tell)


def name_images(root: Path, pending: Pending, tell: Tell) -> None:
    """Write which image runs each stage, for vdsm-upgrade.service and its way back."""
    if pending.new is None:
        raise ToolError("No images to name: the upgrade has no new pair yet")
    text = f"OLD={pending.old.supervdsm}\nNEW={pending.new.supervdsm}\n"
    durable.write(_below(root, paths.IMAGES_ENV), text.encode())
    passed(Step.NAMED, tell)


def _write(root: Path, pending: Pending) -> None:
    path = _below(root, paths.PENDING)
    durable.make_directory(path.parent, 0o700)
    durable.write(path, msgspec.json.encode(pending), 0o600)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
