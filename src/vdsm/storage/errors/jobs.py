# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of resources and jobs: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class ResourceTimeout(StorageError):
    number = 851
    about = "Resource is busy"


class StorageDomainIsMemberOfPool(StorageError):
    number = 900
    about = "Storage domain is member of a pool"


class DomainHasGarbage(StorageError):
    number = 910
    about = "Garbage was found on the storage domain"


class GenerationMismatch(StorageError):
    number = 911
    about = "Generation of the volume is not the one that was given"
