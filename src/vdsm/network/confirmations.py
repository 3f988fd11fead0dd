# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells supervdsm that a client reached this host, for a network change that waits for that.

A call of Host.ping, ping2 or confirmConnectivity only leaves its time behind; the thread here takes
the newest one to supervdsm. So no client waits for supervdsm, and however many call, supervdsm
hears of it a few times in a second; it is not asked at all while nobody calls. vdsm does not know
whether a change waits: another vdsm may have asked for it, or an operator.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from vdsm.host.clients import ClientWatch
from vdsm_contract.errors import ContractError
from vdsm_contract.interfaces import Network

log = logging.getLogger(__name__)

PAUSE_S = 0.25  # between two messages; a change waits for seconds


class Confirmations:
    """Passes on what `clients` sees, from when it is entered until it is left."""

    def __init__(self, clients: ClientWatch, network: Network, pause: float = PAUSE_S) -> None:
        self._clients = clients
        self._network = network
        self._pause = pause
        self._stop = threading.Event()
        self._reached = True
        self._thread = threading.Thread(target=self._run, name="confirmations", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A message that is under way may wait for supervdsm, and vdsm's end must not.
        self._stop.set()
        self._clients.stop()

    def _run(self) -> None:
        seen = self._clients.newer(None)
        while seen is not None:
            self._tell(seen)
            if self._stop.wait(self._pause):
                return
            seen = self._clients.newer(seen)

    def _tell(self, seen: float) -> None:
        """A message that does not arrive is dropped: the client calls again while it matters."""
        try:
            self._network.confirm_connectivity(seen)
        except ContractError as error:
            if self._reached:
                log.warning("supervdsm does not hear of clients: %s", error)
            self._reached = False
        except Exception:  # a defect, which must not keep every later change from being confirmed
            log.exception("Failed to tell supervdsm of a client")
        else:
            if not self._reached:
                log.info("supervdsm hears of clients again")
            self._reached = True
