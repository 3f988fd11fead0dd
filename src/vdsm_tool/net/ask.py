# SPDX-License-Identifier: GPL-2.0-or-later
"""supervdsm's network room, as a command asks it: its errors become sentences with a way out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vdsm_contract.errors import (
    Busy,
    ContractError,
    InvalidArgument,
    NetworkChangeFailed,
    NetworkConfigError,
    PeerRefused,
    VersionMismatch,
)
from vdsm_contract.interfaces import Network
from vdsm_contract.proxy import Supervdsm
from vdsm_tool.errors import FAILED, UNKNOWN, ToolError

_JOURNAL = "`journalctl --boot --unit=supervdsm.service --lines=50`."


@contextmanager
def network(path: Path) -> Iterator[Network]:
    """Lend the network room behind the socket `path`. Raises ToolError for what it answers."""
    if not path.is_socket():
        way_out = "`systemctl start supervdsm.socket`; inside a container, mount /run/vdsm."
        raise ToolError(f"there is no socket {path}", way_out, status=UNKNOWN)
    proxy = Supervdsm(path)
    try:
        yield proxy.network
    except ContractError as error:
        raise _told(error) from None
    finally:
        proxy.close()


def _told(error: ContractError) -> ToolError:
    match error:
        case NetworkConfigError():
            return ToolError(f"{error} (code {error.errCode})")
        case InvalidArgument():
            return ToolError(str(error))
        case Busy():
            return ToolError("Another network change is under way", "Try again when it has ended.")
        case NetworkChangeFailed():
            return ToolError(str(error), _JOURNAL)
        case VersionMismatch():
            return ToolError(
                str(error), "Run vdsm-tool from the image that supervdsm runs.", status=UNKNOWN
            )
        case PeerRefused():
            return ToolError(str(error), "Run vdsm-tool as root.", status=UNKNOWN)
        case _:
            return ToolError(str(error), _JOURNAL, status=FAILED)
