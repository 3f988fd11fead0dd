# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of tasks: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class InvalidTask(StorageError):
    number = 400
    about = "Task is invalid"


class UnknownTask(StorageError):
    number = 401
    about = "Task id is unknown"


class TaskClearError(StorageError):
    number = 402
    about = "Task cannot be cleared"


class TaskNotFinished(StorageError):
    number = 403
    about = "Task is not finished"


class AddTaskError(StorageError):
    number = 405
    about = "Task cannot be added"


class TaskInProgress(StorageError):
    number = 406
    about = "A task is running"


class TaskMetadataSaveError(StorageError):
    number = 407
    about = "State of the task cannot be saved"


class TaskMetadataLoadError(StorageError):
    number = 408
    about = "State of the task cannot be loaded"


class TaskDirectoryError(StorageError):
    number = 409
    about = "Directory of tasks cannot be used"


class TaskStateError(StorageError):
    number = 410
    about = "The operation is not allowed in this state of the task"


class TaskAborted(StorageError):
    number = 411
    about = "Task is aborted"


class UnmanagedTask(StorageError):
    number = 412
    about = "The operation is not possible on an unmanaged task"


class TaskPersistError(StorageError):
    number = 413
    about = "Task cannot be persisted"


class TaskStateTransitionError(StorageError):
    number = 441
    about = "Task cannot go to the state"
