# SPDX-License-Identifier: GPL-2.0-or-later
"""The real front with verbs whose behaviour a test decides: `python -m front.verbs OPTIONS`.

Names and parameters are the API's, because the schema is the real one; what they do is not.
"""

import json
import logging
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from vdsm import daemon
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.limits import FrameLimits, Limits
from vdsm.jsonrpc.registry import Call, Params, registry
from vdsm_contract.config import Config
from vdsm_contract.errors import SupervdsmDied
from vdsm_contract.systemd import listen_fds, log_to_journal


class Verbs:
    """`gate` is a file: calls of Host.getStats end once it exists."""

    def __init__(self, directory: Path, events: Events) -> None:
        self._gate = directory / "gate"
        self._effects = directory / "effects"
        self._events = events
        self._lock = threading.Lock()

    def echo(self, call: Call, params: Params) -> JSON:
        with self._lock, self._effects.open("a") as effects:
            effects.write(f"{call.flow_id or '-'}\n")
        return params["message"]

    def wait(self, _call: Call, _params: Params) -> JSON:
        while not self._gate.exists():
            time.sleep(0.01)
        return {"ended": True}

    def addresses(self, call: Call, _params: Params) -> JSON:
        return {"client": str(call.client), "local": str(call.local), "flow": call.flow_id}

    def large(self, _call: Call, _params: Params) -> JSON:
        return "x" * 1024 * 1024

    def fail(self, _call: Call, params: Params) -> JSON:
        match params["level"]:
            case "DEBUG":
                raise VdsmError(477, "no such export")
            case "INFO":
                raise SupervdsmDied
            case "WARNING":
                return {1, 2, object()}  # type: ignore[return-value]
        raise RuntimeError("secret detail")

    def publish(self, _call: Call, _params: Params) -> JSON:
        self._events.publish("|virt|VM_status|1", {"1": {"status": "Up"}})
        return None

    def nothing(self, _call: Call, _params: Params) -> JSON:
        return None


def main() -> None:
    options = json.loads(sys.argv[1])
    log_to_journal("DEBUG")
    logging.getLogger("asyncio").setLevel(logging.INFO)
    events = Events()
    verbs = Verbs(Path(options["directory"]), events)
    table = registry(
        {
            "Host.getStats": verbs.wait,
            "Host.getHardwareInfo": verbs.addresses,
            "Host.getCapabilities": verbs.large,
            "Host.setLogLevel": verbs.fail,
            "Host.registerSecrets": verbs.nothing,
        },
        local={
            "Host.echo": verbs.echo,
            "Host.ping": verbs.publish,
            "Host.ping2": verbs.nothing,
        },
        storage={"StoragePool.connectStorageServer": verbs.wait},
    )
    frame = FrameLimits(**options["frame"])
    daemon.run(
        config=Config(ssl=options["ssl"], worker_threads=8, tasks_per_worker=10),
        options=daemon.Options(
            pki=Path(options["pki"]),
            drain_s=options["drain_s"],
            limits=replace(Limits(**options["limits"]), frame=frame),
        ),
        sockets=listen_fds().calls,
        table=table,
        events=events,
        ready=lambda: not (Path(options["directory"]) / "recovering").exists(),
    )


if __name__ == "__main__":
    main()
