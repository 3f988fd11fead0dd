# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of files: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class FileReadError(StorageError):
    number = 2001
    about = "A file of the storage domain cannot be read"


class FileWriteError(StorageError):
    number = 2002
    about = "A file of the storage domain cannot be written"


class OperationInProgress(StorageError):
    number = 2005
    about = "The operation is already in progress"
