# SPDX-License-Identifier: GPL-2.0-or-later
"""Host ids and leases: by sanlock on shared storage, within vdsm on localfs. docs/storage-locks.md.

`ClusterLocks` makes the lock of a domain; the rest is for it.
"""

from vdsm.storage.locks.cluster import ClusterLocks

__all__ = ["ClusterLocks"]
