# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of SPM, host ids and locks: oVirt's numbers."""

from __future__ import annotations

from vdsm.storage.errors.base import StorageError


class SpmStartError(StorageError):
    number = 650
    about = "SPM cannot be started"


class AcquireLockFailure(StorageError):
    number = 651
    about = "Lock cannot be acquired"


class SpmParamsMismatch(StorageError):
    number = 652
    about = "Previous SPM id or lease version does not match"


class SpmStopError(StorageError):
    number = 653
    about = "SPM has unfinished tasks and cannot be stopped"


class SpmStatusError(StorageError):
    number = 654
    about = "Not SPM"


class SpmFenceError(StorageError):
    number = 655
    about = "SPM cannot be fenced"


class IsSpm(StorageError):
    number = 656
    about = "Not allowed while the host is SPM"


class DomainAlreadyLocked(StorageError):
    number = 657
    about = "Storage domain is already locked"


class DomainLockDoesNotExist(StorageError):
    number = 658
    about = "Storage domain is not locked"


class ReleaseLockFailure(StorageError):
    number = 660
    about = "Lock cannot be released"


class AcquireHostIdFailure(StorageError):
    number = 661
    about = "Host id cannot be acquired"


class ReleaseHostIdFailure(StorageError):
    number = 662
    about = "Host id cannot be released"


class HostIdMismatch(StorageError):
    number = 700
    about = "Host id is not found or is another host's"


class ClusterLockInitError(StorageError):
    number = 701
    about = "Cluster lock cannot be initialized"


class InquireNotSupported(StorageError):
    number = 702
    about = "Cluster lock cannot be inquired"


class NoSuchLease(StorageError):
    number = 936
    about = "No such lease"
