# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of resources, jobs and bitmaps: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class ResourceTimeout(StorageError):
    number = 851
    about = "Resource is busy"


class NoSuchJob(StorageError):
    number = 66
    about = "There is no such job"


class JobNotDone(StorageError):
    number = 68
    about = "Job is not done"


class JobExists(StorageError):
    number = 69
    about = "A job with this id exists"


class StorageDomainIsMemberOfPool(StorageError):
    number = 900
    about = "Storage domain is member of a pool"


class DomainHasGarbage(StorageError):
    number = 910
    about = "Garbage was found on the storage domain"


class GenerationMismatch(StorageError):
    number = 911
    about = "Generation of the volume is not the one that was given"


class VolumeIsNotInChain(StorageError):
    number = 920
    about = "Volume is not in the chain"


class WrongParentVolume(StorageError):
    number = 921
    about = "Volume has another parent"


class UnexpectedVolumeState(StorageError):
    number = 922
    about = "Volume is not in the state that the operation needs"


class AddBitmapError(StorageError):
    number = 1620
    about = "Bitmap cannot be added"


class MergeBitmapError(StorageError):
    number = 1621
    about = "Bitmap cannot be merged"


class RemoveBitmapError(StorageError):
    number = 1622
    about = "Bitmap cannot be removed"
