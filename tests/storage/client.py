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
