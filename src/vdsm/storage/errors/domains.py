# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of storage domains: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class StorageDomainBlockSizeMismatch(StorageError):
    number = 348
    about = "Block size is not that of the storage"


class DiscardIsNotSupported(StorageError):
    number = 349
    about = "The storage domain does not support discard"


class StorageDomainActionError(StorageError):
    number = 350
    about = "Storage domain action failed"


class StorageDomainCreationError(StorageError):
    number = 351
    about = "Storage domain cannot be created"


class StorageDomainFormatError(StorageError):
    number = 352
    about = "Storage domain cannot be formatted"


class StorageDomainNotInPool(StorageError):
    number = 353
    about = "Storage domain is not in the pool"


class StorageDomainAttachError(StorageError):
    number = 354
    about = "Storage domain cannot be attached"


class StorageDomainMasterError(StorageError):
    number = 355
    about = "Master storage domain is not valid"


class StorageDomainDetachError(StorageError):
    number = 356
    about = "Storage domain cannot be detached"


class StorageDomainDeactivateError(StorageError):
    number = 357
    about = "Storage domain cannot be deactivated"


class StorageDomainDoesNotExist(StorageError):
    number = 358
    about = "Storage domain does not exist"


class StorageDomainActivateError(StorageError):
    number = 359
    about = "Storage domain cannot be activated"


class StorageDomainNotMounted(StorageError):
    number = 360
    about = "Remote path of the storage domain is not mounted"


class StorageDomainNotEmpty(StorageError):
    number = 361
    about = "Storage domain is not empty"


class StorageDomainMetadataCreationError(StorageError):
    number = 362
    about = "Metadata of the storage domain cannot be created"


class StorageDomainMetadataFileMissing(StorageError):
    number = 363
    about = "Metadata file of the storage domain is missing"


class StorageDomainMetadataNotFound(StorageError):
    number = 364
    about = "Metadata of the storage domain is not found"


class StorageDomainAlreadyExists(StorageError):
    number = 365
    about = "Storage domain already exists"


class StorageDomainNotActive(StorageError):
    number = 369
    about = "Storage domain is not active"


class MasterCopyError(StorageError):
    number = 370
    about = "Data of the master domain cannot be copied"


class StorageDomainLayoutError(StorageError):
    number = 371
    about = "Layout of the storage domain is corrupted"


class StorageDomainTypeError(StorageError):
    number = 372
    about = "Type of storage domain is not supported"


class StorageDomainListError(StorageError):
    number = 373
    about = "Storage domains cannot be listed"


class VolumesZeroingError(StorageError):
    number = 374
    about = "Volume cannot be zeroed"


class StorageDomainNotMemberOfPool(StorageError):
    number = 375
    about = "Storage domain is no member of the pool"


class StorageDomainStatusError(StorageError):
    number = 376
    about = "Status of the storage domain is not supported"


class StorageDomainCheckError(StorageError):
    number = 377
    about = "Storage domain has errors"


class StorageDomainAccessError(StorageError):
    number = 379
    about = "Storage domain cannot be accessed"


class StorageDomainAlreadyAttached(StorageError):
    number = 380
    about = "Storage domain is already attached to a pool"


class StorageDomainActive(StorageError):
    number = 382
    about = "Storage domain is active"


class CannotDetachMaster(StorageError):
    number = 383
    about = "Master storage domain cannot be detached"


class StaleNfsHandle(StorageError):
    number = 384
    about = "Stale NFS handle on the server"


class InsufficientPermissions(StorageError):
    number = 385
    about = "Insufficient permissions on the storage"


class StorageDomainClassError(StorageError):
    number = 386
    about = "Class of storage domain is not valid"


class StorageDomainDescriptionTooLong(StorageError):
    number = 387
    about = "Description of the storage domain is too long"


class IllegalRemotePath(StorageError):
    number = 390
    about = "Remote path is illegal"


class CannotFormatAttached(StorageError):
    number = 391
    about = "An attached storage domain cannot be formatted"


class CannotFormatInConnectedPool(StorageError):
    number = 392
    about = "A storage domain of the connected pool cannot be formatted"


class UnsupportedDomainVersion(StorageError):
    number = 394
    about = "Version of storage domain is not supported"


class DomainVersionTooAdvanced(StorageError):
    number = 395
    about = "Version of the storage domain is higher than was asked for"


class PoolUpgradeInProgress(StorageError):
    number = 396
    about = "The storage pool is being upgraded"


class NoSpaceLeft(StorageError):
    number = 397
    about = "No space left on the storage domain"


class MixedDomainVersions(StorageError):
    number = 398
    about = "Storage domain has another version than the master"


class StorageDomainTargetUnsupported(StorageError):
    number = 399
    about = "Target of the storage domain is not supported"
