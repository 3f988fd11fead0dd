# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage errors: oVirt's numbers, which an engine acts on, and one sentence each.

A number is named once here; what happened to what is the `reason`. Source of the numbers: the
storage errors of oVirt's API (upstream-vdsm 4). Used as `errors.VolumeDoesNotExist(...)`.
"""

from vdsm.storage.errors.base import *  # noqa: F403
from vdsm.storage.errors.domains import *  # noqa: F403
from vdsm.storage.errors.files import *  # noqa: F403
from vdsm.storage.errors.images import *  # noqa: F403
from vdsm.storage.errors.jobs import *  # noqa: F403
from vdsm.storage.errors.locks import *  # noqa: F403
from vdsm.storage.errors.metadata import *  # noqa: F403
from vdsm.storage.errors.pools import *  # noqa: F403
from vdsm.storage.errors.servers import *  # noqa: F403
from vdsm.storage.errors.tasks import *  # noqa: F403
from vdsm.storage.errors.volumes import *  # noqa: F403
