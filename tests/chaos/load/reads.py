# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that change nothing, several at a time over one connection."""

from typing import Any, Final

from chaos.load.client import Client
from chaos.model import RIGHT

_READS: Final[tuple[str, ...]] = (
    "Host.getNetworkStatistics",
    "Host.getNetworkCapabilities",
    "Host.getStats",
    "Host.getAllTasksStatuses",
    "Host.ping2",
)
_MOST: Final = 8


class Reader(Client):
    """Reads, and lets vdsm echo words that nobody else uses."""

    def step(self) -> None:
        wanted: list[tuple[str, dict[str, Any]]] = []
        for number in range(self.choices.randint(1, _MOST)):
            if self.choices.random() < 0.5:
                word = f"{self.name}-{self.choices.getrandbits(64):x}-{number}"
                wanted.append(("Host.echo", {"message": word}))
            else:
                wanted.append((self.choices.choice(_READS), {}))
        for (verb, params), answer in zip(wanted, self.calls(wanted), strict=True):
            if verb == "Host.echo" and answer.get("result", params["message"]) != params["message"]:
                with self.book.lock:
                    self.book.ledger.violate(RIGHT, f"echo of {params}: {answer}")
