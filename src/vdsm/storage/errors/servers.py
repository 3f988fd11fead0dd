# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of storage servers: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class StorageServerConnectionError(StorageError):
    number = 451
    about = "Storage server cannot be connected"


class StorageServerDisconnectionError(StorageError):
    number = 452
    about = "Storage server cannot be disconnected"


class StorageServerValidationError(StorageError):
    number = 453
    about = "Path on the storage server cannot be reached"


class StorageServerAccessError(StorageError):
    number = 469
    about = "Permissions of the path do not allow access"


class MountError(StorageError):
    number = 477
    about = "Storage server cannot be mounted"


class ImageVerificationError(StorageError):
    number = 484
    about = "Image verification failed"
