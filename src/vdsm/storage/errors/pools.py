# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of pools: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class StoragePoolActionError(StorageError):
    number = 300
    about = "Storage pool action failed"


class StoragePoolCreationError(StorageError):
    number = 301
    about = "Storage pool cannot be created"


class StoragePoolConnectionError(StorageError):
    number = 302
    about = "Storage pool cannot be connected"


class StoragePoolDisconnectionError(StorageError):
    number = 303
    about = "Storage pool cannot be disconnected"


class StoragePoolMasterNotFound(StorageError):
    number = 304
    about = "Master domain cannot be found"


class ReconstructMasterError(StorageError):
    number = 306
    about = "Master domain cannot be reconstructed"


class StoragePoolTooManyMasters(StorageError):
    number = 307
    about = "Storage pool has several masters"


class StoragePoolDestroyingError(StorageError):
    number = 308
    about = "Storage pool cannot be destroyed"


class StoragePoolUnknown(StorageError):
    number = 309
    about = "Storage pool is not connected"


class StoragePoolHasPotentialMaster(StorageError):
    number = 310
    about = "Master role must be moved to another domain first"


class StoragePoolNotConnected(StorageError):
    number = 313
    about = "Storage pool is not connected"


class StoragePoolAlreadyExists(StorageError):
    number = 316
    about = "Storage pool already exists"


class IsoCannotBeMaster(StorageError):
    number = 317
    about = "An ISO domain cannot be master"


class BackupCannotBeMaster(StorageError):
    number = 319
    about = "A backup domain cannot be master"


class CannotConnectMultiplePools(StorageError):
    number = 323
    about = "Another storage pool is connected"


class StoragePoolWrongMaster(StorageError):
    number = 324
    about = "Wrong master domain or version of the master"


class StoragePoolConnected(StorageError):
    number = 325
    about = "Storage pool is connected"


class HigherMasterVersionFound(StorageError):
    number = 326
    about = "The master domain has a higher version than was given"


class StoragePoolDescriptionTooLong(StorageError):
    number = 327
    about = "Description of the storage pool is too long"


class TooManyDomainsInPool(StorageError):
    number = 328
    about = "Storage pool has too many domains"


class ImagesNotSupported(StorageError):
    number = 329
    about = "The domain does not support images"


class FileStatsError(StorageError):
    number = 330
    about = "Files of the domain cannot be listed"
