# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage servers that are connected and disconnected: directories of the host, that is mounts."""

from typing import Any, Final

from chaos.load.client import Client
from chaos.model import Outcome

BLANK: Final = "00000000-0000-0000-0000-000000000000"
DIRECTORIES: Final = tuple(f"/srv/chaos-mount{number}" for number in range(4))
MOUNTED, ABSENT = "mounted once", "not mounted"


def target(directory: str) -> str:
    """Where oVirt mounts it."""
    return "/rhev/data-center/mnt/" + directory.replace("_", "__").replace("/", "_")


def register(directory: str) -> str:
    return f"mount of {directory}"


def _judged(result: Any) -> tuple[Outcome, str]:
    (one,) = result
    # A status that is not 0 hides whether supervdsm refused it, or died while it mounted.
    return (
        (Outcome.DONE, "ok") if one["status"] == 0 else (Outcome.UNKNOWN, f"status {one['status']}")
    )


class Mounter(Client):
    """Connects one that is not there, or disconnects one that is."""

    def step(self) -> None:
        with self.book.lock:
            ledger = self.book.ledger
            known = [one for one in DIRECTORIES if not ledger.in_doubt(register(one))]
            if known:
                directory = self.choices.choice(known)
                mounted = ledger.value(register(directory)) == MOUNTED
        if not known:
            self.call("Host.ping2")
            return
        verb = "disconnectStorageServer" if mounted else "connectStorageServer"
        number = DIRECTORIES.index(directory)
        connection = {"id": f"{number:08}-0000-0000-0000-00000000c4a0", "connection": directory}
        params = {"storagepoolID": BLANK, "domainType": 4, "connectionParams": [connection]}
        becomes = ABSENT if mounted else MOUNTED
        self.call(
            f"StoragePool.{verb}", params, writes={register(directory): becomes}, judge=_judged
        )
