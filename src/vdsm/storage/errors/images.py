# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of images: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class ImageActionError(StorageError):
    number = 250
    about = "Image action failed"


class MergeError(StorageError):
    number = 252
    about = "Snapshots cannot be merged"


class MoveImageError(StorageError):
    number = 253
    about = "Image cannot be moved"


class ImagePathError(StorageError):
    number = 254
    about = "Path of the image is not there or cannot be used"


class ImageValidationError(StorageError):
    number = 255
    about = "Image is not valid"


class ImageDeleteError(StorageError):
    number = 256
    about = "Volumes of the image cannot be removed"


class SourceImageError(StorageError):
    number = 259
    about = "Source image cannot be used"


class DestinationImageError(StorageError):
    number = 260
    about = "Destination image cannot be used"


class CopyImageError(StorageError):
    number = 261
    about = "Image cannot be copied"


class ImageIsNotLegalChain(StorageError):
    number = 262
    about = "Image is not a legal chain"


class TemplateNotOnDestination(StorageError):
    number = 263
    about = "Template cannot be validated on the target domain"


class OverwriteImageError(StorageError):
    number = 265
    about = "Image exists and is not overwritten"


class MoveTemplateImageError(StorageError):
    number = 266
    about = "Template is in use and cannot be moved"


class ImageDoesNotExist(StorageError):
    number = 268
    about = "Image does not exist in the domain"
