# SPDX-License-Identifier: GPL-2.0-or-later
"""What an engine does when it changes a host's network, over TLS; runs beside that host.

`engine.py PKI NAME SCENARIO`: PKI has the certificates, NAME is what the host's carries, and
SCENARIO is JSON. Prints as JSON what was seen.

    at          address of the host
    calls       verbs without parameters that are called first, one after the other
    networks, bondings, options    of Host.setupNetworks; without networks and bondings no change
    patience    seconds to wait for its answer, which may be lost with its connection
    confirm     address that is polled meanwhile; none: nobody confirms
    confirm_by  by what verb, if not by Host.confirmConnectivity
    then        verbs that are called after it, at the address of `confirm` if there is one
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from vdsm.client import CallError, Client, ConnectError, mutual_tls
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.tls import Identity

POLL_S = 0.3
PATIENCE_S = 120.0


class Engine:
    """One engine: its certificates, and what it saw."""

    def __init__(self, pki: Path, name: str, scenario: dict[str, Any]) -> None:
        self._identity = Identity.below(pki)
        self._name = name
        self._scenario = scenario
        self._changed = threading.Event()
        self.seen: dict[str, Any] = {"polls": []}

    def client(self, address: str) -> Client:
        return Client(mutual_tls(address, identity=self._identity, name=self._name))

    def change(self, address: str) -> dict[str, JSON]:
        """setupNetworks; the answer may be lost with the connection that it would come by."""
        with self.client(address) as client:
            return attempt(
                client,
                "Host.setupNetworks",
                self._scenario.get("patience", PATIENCE_S),
                networks=self._scenario.get("networks", {}),
                bondings=self._scenario.get("bondings", {}),
                options=self._scenario.get("options", {}),
            )

    def poll(self, address: str) -> None:
        """Confirm again and again, by connections that may die."""
        method = self._scenario.get("confirm_by", "Host.confirmConnectivity")
        with self.client(address) as client:
            while not self._changed.is_set():
                self.seen["polls"].append("result" in attempt(client, method, 2.0))
                self._changed.wait(POLL_S)

    def call(self, address: str, method: str) -> JSON:
        """A call that must be answered; once the network is still again, it will be."""
        end = time.monotonic() + 60
        while True:
            with self.client(address) as client:
                answer = attempt(client, method, 20.0)
            if "lost" not in answer or time.monotonic() > end:
                return answer.get("result")
            time.sleep(0.2)

    def run(self) -> None:
        address, confirm = self._scenario["at"], self._scenario.get("confirm")
        self.seen["calls"] = [self.call(address, verb) for verb in self._scenario.get("calls", [])]
        polling = threading.Thread(target=self.poll, args=(confirm,))
        if confirm:
            polling.start()
        if "networks" in self._scenario or "bondings" in self._scenario:
            self.seen["change"] = self.change(address)
        self._changed.set()
        if confirm:
            polling.join()
        then = self._scenario.get("then", [])
        self.seen["then"] = [self.call(confirm or address, verb) for verb in then]


def attempt(client: Client, method: str, timeout: float, **params: JSON) -> dict[str, JSON]:
    """A call's `result`, or its error's `code`, `message` and `data`, or that it was `lost`."""
    try:
        return {"result": client.call_with(method, params, timeout=timeout)}
    except CallError as error:
        return {"code": error.code, "message": error.message, "data": error.data}
    except (ConnectError, TimeoutError, OSError) as error:
        return {"lost": f"{type(error).__name__}: {error}"}


def main() -> None:
    pki, name, scenario = sys.argv[1:]
    engine = Engine(Path(pki), name, json.loads(scenario))
    engine.run()
    print(json.dumps(engine.seen))


if __name__ == "__main__":
    main()
