# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of metadata: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class MetadataError(StorageError):
    number = 749
    about = "Metadata error"


class MetadataKeyError(StorageError):
    number = 750
    about = "Metadata has a wrong key or value"


class MetadataKeyNotFound(StorageError):
    number = 751
    about = "Metadata lacks a key"


class MetadataSealIsBroken(StorageError):
    number = 752
    about = "Checksum of the metadata does not match"


class MetadataValidationError(StorageError):
    number = 753
    about = "Metadata is not valid"


class MetadataOverflow(StorageError):
    number = 756
    about = "Metadata is too large"
