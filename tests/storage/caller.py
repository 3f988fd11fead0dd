# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to a vdsm from beside its machine, many in a second: one connection, STOMP over TLS.

`python -m storage.caller HOST PKI` takes calls as lines of JSON, [verb, params], and answers each
with a line; `session` runs it on the network of a test host.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machines import Machine
from storage.engine import Call, Refused
from vdsm.client.api import CallError, Client
from vdsm.client.transport import ConnectError, mutual_tls
from vdsm.jsonrpc.tls import Identity

ADDRESS = "192.0.2.2"


class Lost(Exception):
    """The connection was lost before the answer came, or vdsm is not there."""


@contextmanager
def session(machine: Machine, pki: Path) -> Iterator[Call]:
    """Calls from beside a test host, whose certificates are in `pki`. One thread at a time."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = [sys.executable, "-m", "storage.caller", ADDRESS, str(pki)]
    words = [str(machine.tool), "exec", "--peer", machine.name, "--", *program]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def call(verb: str, params: dict[str, Any]) -> Any:
            requests.write(json.dumps([verb, params]) + "\n")
            requests.flush()
            kind, value = json.loads(answers.readline())
            if kind == "refused":
                raise Refused(verb, *value)
            if kind == "lost":
                raise Lost(value)
            return value

        yield call
        requests.close()


def main() -> None:
    host, pki = sys.argv[1:]
    with Client(mutual_tls(host, identity=Identity.below(Path(pki))), timeout=120) as client:
        for line in sys.stdin:
            verb, params = json.loads(line)
            answer: list[Any]
            try:
                answer = ["result", client.call_with(verb, params)]
            except CallError as error:
                answer = ["refused", [error.code, error.message]]
            except (ConnectError, TimeoutError) as error:
                answer = ["lost", str(error)]
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
