# SPDX-License-Identifier: GPL-2.0-or-later
"""Pools of huge pages, of the whole host or of one NUMA node.

Source: Documentation/admin-guide/mm/hugetlbpage.rst. The kernel allocates as many of the asked
pages as it can, and says so only in the number that is read back.
"""

import re
from pathlib import Path
from typing import Final

from supervdsm.host import setting
from vdsm_contract.errors import InvalidArgument

_POOL: Final = re.compile(
    r"/sys/(?P<pool>(?:kernel/mm|devices/system/node/node(?:0|[1-9][0-9]{0,3}))"
    r"/hugepages/hugepages-[1-9][0-9]{0,9}kB/nr_hugepages)"
)
"""The only files that may be written."""

_MAX_PAGES: Final = 2**24
"""Most pages in a call, and in a pool after it: 32 TiB of the smallest huge pages (2 MiB)."""


def allocate(sysfs: Path, count: int, path: str) -> int:
    """Add `count` pages (negative: remove) to the pool of `path`; return how many were really
    added.

    Fewer than `count` are added when memory is short, and a pool does not shrink below the pages
    in use. Raises InvalidArgument and KernelSettingFailed.
    """
    match = _POOL.fullmatch(path)
    if match is None:
        raise InvalidArgument(field="path", reason="must be the nr_hugepages file of a pool")
    if not -_MAX_PAGES <= count <= _MAX_PAGES:
        raise InvalidArgument(field="count", reason=f"must be -{_MAX_PAGES} to {_MAX_PAGES}")
    file = sysfs / match["pool"]
    current = setting.read(file)
    if not 0 <= current + count <= _MAX_PAGES:
        raise InvalidArgument(
            field="count", reason=f"the pool has {current} pages; it may have 0 to {_MAX_PAGES}"
        )
    setting.write(file, current + count)
    return setting.read(file) - current
