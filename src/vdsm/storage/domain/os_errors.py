# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says of a storage domain's files, in oVirt's errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from vdsm.storage import errors
from vdsm.storage.errors import StorageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def reading(what: str, otherwise: type[StorageError] = errors.FileReadError) -> Iterator[None]:
    """An OSError becomes an oVirt error that names `what`: StaleNfsHandle, InsufficientPermissions,
    `otherwise`."""
    try:
        yield
    except OSError as error:
        raise _known(what, error) or otherwise(_text(what, error)) from error


@contextmanager
def writing(what: str, otherwise: type[StorageError] = errors.FileWriteError) -> Iterator[None]:
    """An OSError becomes an oVirt error that names `what`: NoSpaceLeft, StaleNfsHandle,
    InsufficientPermissions (also for a read-only file system), `otherwise`."""
    try:
        yield
    except OSError as error:
        raise _known(what, error) or otherwise(_text(what, error)) from error


def _known(what: str, error: OSError) -> StorageError | None:
    text = _text(what, error)
    if error.errno == errno.ESTALE:
        return errors.StaleNfsHandle(text)
    if error.errno in _FULL:
        return errors.NoSpaceLeft(text)
    if error.errno in _DENIED:
        return errors.InsufficientPermissions(text)
    return None


def _text(what: str, error: OSError) -> str:
    return f"{what}: {error.strerror or error}"
