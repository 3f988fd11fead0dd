# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of volumes: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class VolumeDoesNotExist(StorageError):
    number = 201
    about = "Volume does not exist"


class IncorrectFormat(StorageError):
    number = 202
    about = "Incorrect volume format"


class VolumeIsBusy(StorageError):
    number = 203
    about = "Volume is busy"


class VolumeHasChildren(StorageError):
    number = 204
    about = "Volume has children and cannot be deleted"


class VolumeCreationError(StorageError):
    number = 205
    about = "Volume cannot be created"


class VolumeExtendingError(StorageError):
    number = 206
    about = "Volume cannot be extended"


class VolumeMetadataReadError(StorageError):
    number = 207
    about = "Volume metadata cannot be read"


class VolumeMetadataWriteError(StorageError):
    number = 208
    about = "Volume metadata cannot be written"


class VolumeAccessError(StorageError):
    number = 209
    about = "Volume cannot be accessed"


class VolumeUnlinkError(StorageError):
    number = 210
    about = "Volume cannot be unlinked"


class OrphanVolume(StorageError):
    number = 211
    about = "Volume has no image"


class VolumeAlreadyExists(StorageError):
    number = 212
    about = "Volume already exists"


class VolumeNonWritable(StorageError):
    number = 213
    about = "Volume is not writable"


class VolumeNonShareable(StorageError):
    number = 214
    about = "Volume is not shared and cannot be a template"


class VolumeOwnershipError(StorageError):
    number = 215
    about = "Volume belongs to another image"


class VolumeCannotGetParent(StorageError):
    number = 216
    about = "Parent of the volume cannot be found"


class CannotCloneVolume(StorageError):
    number = 217
    about = "Volume cannot be cloned"


class CannotShareVolume(StorageError):
    number = 218
    about = "Volume cannot be shared"


class SharedVolumeNonWritable(StorageError):
    number = 219
    about = "Shared volume is read-only"


class InternalVolumeNonWritable(StorageError):
    number = 220
    about = "Internal volume is read-only"


class CannotDeleteVolume(StorageError):
    number = 222
    about = "Volume cannot be deleted"


class CannotDeleteSharedVolume(StorageError):
    number = 223
    about = "Shared volume cannot be deleted"


class NonLeafVolumeNotWritable(StorageError):
    number = 224
    about = "Volume is not a leaf and is read-only"


class VolumeCopyError(StorageError):
    number = 225
    about = "Volume cannot be copied"


class SnapshotOfIllegalVolume(StorageError):
    number = 226
    about = "An illegal volume cannot have a snapshot"


class PrepareIllegalVolume(StorageError):
    number = 227
    about = "An illegal volume cannot be prepared"


class VolumeSizeError(StorageError):
    number = 229
    about = "Requested size of the volume is too small"


class VolumeNotPrepared(StorageError):
    number = 230
    about = "Volume was not prepared before its teardown"


class IncorrectAllocation(StorageError):
    number = 231
    about = "Incorrect preallocation of a volume"


class VolumeResizeError(StorageError):
    number = 232
    about = "Incorrect new size of a volume"


class VolumeNotSparse(StorageError):
    number = 233
    about = "Volume is not sparse"


class CannotSparsifyVolume(StorageError):
    number = 234
    about = "Volume cannot be sparsified"


class InvalidVolumeUpdate(StorageError):
    number = 235
    about = "Attributes of the volume cannot be changed like this"
