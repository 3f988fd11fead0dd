# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine's calls into a test machine, and those that must be refused."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from machines import Machine, MachineError
from storage.engine import Call, Refused


class Lost(Exception):
    """The connection was lost before the answer came, or vdsm is not there."""


def through(machine: Machine, *options: str) -> Call:
    """Calls by `vdsm-client`, that is STOMP and TLS, inside the machine."""
    said = re.compile(r"\(code=(-?\d+), message=(.*)\)", re.DOTALL)

    def call(verb: str, params: dict[str, Any]) -> Any:
        words = ("vdsm-client", *options, "-f", "-", *verb.split("."))
        done = machine.run(*words, stdin=json.dumps(params).encode(), check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        refused = said.search(done.stderr)
        if refused is None:
            raise MachineError(f"{verb}: {done.returncode}: {done.stderr}")
        raise Refused(verb, int(refused[1]), refused[2])

    return call


@contextmanager
def refused(code: int) -> Iterator[None]:
    """Within the block a call is refused with oVirt's `code`."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code, caught.value


_PROGRAM = """
import json, sys
from vdsm.client import CallError, Client, ConnectError, mutual_tls
from vdsm.jsonrpc.tls import Identity
from vdsm_contract.paths import PKI_DIR

endpoint = mutual_tls("localhost", identity=Identity.below(PKI_DIR))
with Client(endpoint, timeout=300) as client:
    for line in sys.stdin:
        try:
            answer = {"result": client.call_with(*json.loads(line))}
        except CallError as error:
            answer = {"code": error.code, "message": error.message}
        except (ConnectError, TimeoutError, OSError) as error:
            answer = {"lost": str(error)}
        print(json.dumps(answer), flush=True)
"""


@contextmanager
def session(machine: Machine) -> Iterator[Call]:
    """Calls over one connection, STOMP and TLS, inside the machine: many, without a container for
    each as `through` needs. One thread at a time. A connection that a kill of vdsm ended is made
    anew for the next call."""
    process = machine.start(
        "podman", "run", "--rm", "--interactive", "--pull=never", "--log-driver=none",
        "--network=host", "--volume=/etc/pki/vdsm:/etc/pki/vdsm:ro",
        "--entrypoint=/opt/venv/bin/python", "localhost/vdsm:latest", "-c", _PROGRAM,
    )  # fmt: skip

    def call(verb: str, params: dict[str, Any]) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([verb, params]).encode() + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or b'{"lost": "the client ended"}')
        if "lost" in answer:
            raise Lost(f"{verb}: {answer['lost']}")
        if "code" in answer:
            raise Refused(verb, answer["code"], answer["message"])
        return answer["result"]

    try:
        yield call
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)
