# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sanlock direct dump` prints of a file whose names are a stranger's.

Oracle: SanlockDumpFailed, short, or leases with numbers that are none below zero and names without
blanks around them.
"""

from collections.abc import Mapping

from fuzz.target import require
from supervdsm.server.dispatch import encode_error
from supervdsm.storage import sanlock_direct
from vdsm_contract.errors import SanlockDumpFailed
from vdsm_contract.types import SanlockDump
from vdsm_contract.wire import OutgoingResponse, encode

_PATH = "/rhev/data-center/mnt/x/dom_md/leases"
_NUMBERS = ("offset", "timestamp", "own", "gen")


def run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        leases = sanlock_direct.parse(text, _PATH)
    except SanlockDumpFailed as error:
        require(len(encode_error(error)) < 4096, "an error that repeats the input")
        return
    require(len(leases) <= len(text.splitlines()), "leases from nowhere")
    for lease in leases:
        require(min(getattr(lease, name) for name in _NUMBERS) >= 0, "a negative number")
        require(lease.lockspace == lease.lockspace.strip(), "blanks around a lockspace")
        require(lease.resource == lease.resource.strip(), "blanks around a resource")
    encode(OutgoingResponse(SanlockDump(leases)))


def seeds() -> Mapping[str, bytes]:
    head = "  offset                            lockspace                                         "
    head += "resource  timestamp  own  gen lver\n"

    def line(offset: int, lockspace: str, resource: str, lver: str = "") -> str:
        return f"{offset:08d} {lockspace:>36s} {resource:>48s} 0000017300 0001 0002{lver}\n"

    uuid = "5e0f3a4c-8f5a-4a35-9a0c-d2b9d3a1f0e1"
    good = head + line(0, uuid, "host name") + line(1048576, uuid, "SDM", " 7")
    return {
        "good": good.encode(),
        "shared": (good + "                 2 1 SH\n").encode(),
        "names": (head + line(512, "x" * 48, " 1 2 3 4", " 1")).encode(),
        "broken": good[:-20].encode(),
        "nothing": head.encode(),
    }
