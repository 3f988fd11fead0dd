# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the leases in a file of a storage domain, past sanlock's daemon: `sanlock direct dump`.

It happens in a child process that is vdsm's user, not root: it reads what vdsm could read, it alone
hangs when the path is on a dead server, and it alone breaks on what a hostile file has in it, for
sanlock believes what it reads there. Format of the output: sanlock 3.9, `sanlock direct
dump`: a head, then a line for each lease that has an owner or a name.
"""

import os
import re
import sys
from pathlib import Path
from typing import Final

from msgspec import UNSET

from supervdsm.common import command
from supervdsm.policy import paths
from vdsm_contract.errors import InvalidArgument, SanlockDumpFailed
from vdsm_contract.paths import KVM_GID, VDSM_UID
from vdsm_contract.types import SanlockLease

BLOCK_SIZES: Final = (512, 4096)
ALIGNMENTS: Final = tuple(mib << 20 for mib in (1, 2, 4, 8))
MAX_SIZE: Final = 2 << 30
"""Bytes that one call reads at most: 2048 leases, whose lines fit into what a child may print."""
MAX_OFFSET: Final = 1 << 40

_CHILD: Final = Path(__file__).with_name("sanlock_dump_child.py")
_PATH: Final = "path"

# Names come from the storage: whatever is in them, the numbers at both ends are sanlock's.
_SHARED: Final = re.compile(r" *\d+ \d+ SH")
"""One of several owners of the lease above it."""
_LINE: Final = re.compile(
    r"(?P<offset>\d{8,20}) (?P<lockspace>.{36,48}?) (?P<resource>.{48})"
    r" (?P<timestamp>\d{10,20}) (?P<own>\d{4,20}) (?P<gen>\d{4,20})(?: (?P<lver>\d{1,20}))?"
)


def dump(
    path: str,
    offset: int,
    size: int | None,
    block_size: int,
    alignment: int,
    *,
    data_center: Path,
) -> list[SanlockLease]:
    """Return the leases in `size` bytes from `offset` (None: one alignment).

    Raises InvalidArgument, SanlockDumpFailed with what sanlock said, and TimedOut.
    """
    relative = paths.below(path, data_center, field=_PATH)
    size = _checked(offset, size, block_size, alignment)
    argv = [sys.executable, "-I", "-S", str(_CHILD), str(VDSM_UID), str(KVM_GID)]
    numbers = (offset, size, block_size, alignment)
    result = command.run([*argv, str(data_center), relative, *map(str, numbers)])
    if result.stdout.isdigit():
        number = int(result.stdout)
        raise InvalidArgument(_PATH, paths.explain(OSError(number, os.strerror(number))))
    if result.status != 0:
        raise SanlockDumpFailed(path, result.status, (result.stderr or result.stdout)[:1000])
    return parse(result.stdout, path)


def _checked(offset: int, size: int | None, block_size: int, alignment: int) -> int:
    """Return the size. Raises InvalidArgument that names the number that is wrong."""
    if block_size not in BLOCK_SIZES:
        raise InvalidArgument("blockSize", f"is none of {BLOCK_SIZES}")
    if alignment not in ALIGNMENTS:
        raise InvalidArgument("alignment", f"is none of {ALIGNMENTS}")
    if not 0 <= offset <= MAX_OFFSET or offset % alignment:
        raise InvalidArgument("offset", f"is not a multiple of {alignment} up to {MAX_OFFSET}")
    size = alignment if size is None else size
    if not 0 < size <= MAX_SIZE or size % alignment:
        raise InvalidArgument("size", f"is not a multiple of {alignment} up to {MAX_SIZE}")
    return size


def parse(text: str, path: str) -> list[SanlockLease]:
    """Read the output. Raises SanlockDumpFailed for a line that is not understood."""
    leases = []
    # Not splitlines(): a name may have what Unicode takes for the end of a line.
    for line in text.removesuffix("\n").split("\n")[1:]:
        if _SHARED.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise SanlockDumpFailed(path, 0, f"not understood: {line[:200]!r}")
        numbers = {key: int(match[key]) for key in ("offset", "timestamp", "own", "gen")}
        leases.append(
            SanlockLease(
                lockspace=match["lockspace"].strip(),
                resource=match["resource"].strip(),
                **numbers,
                lver=int(match["lver"]) if match["lver"] else UNSET,
            )
        )
    return leases
