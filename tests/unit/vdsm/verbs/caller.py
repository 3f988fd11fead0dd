# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls verbs as the dispatcher does: checked by the schema, run, and encoded."""

import json
from pathlib import Path

import pytest

from unit.vdsm import trees
from unit.vdsm.fakes import FakeSupervdsm
from vdsm.host.sampling import Sampler
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.dispatch import invoke
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.verbs import build_table
from vdsm_contract.config import Config


class Client:
    """Calls verbs by name with JSON parameters."""

    def __init__(self, root: Path) -> None:
        tree = trees.recorded(root)
        self.supervdsm = FakeSupervdsm(root)
        self.services = Services(Config(), self.supervdsm, Events(), tree, Sampler(tree))
        self.table = build_table(self.services)

    def call(self, method: str, **params: JSON) -> JSON:
        """The result. Raises VdsmError."""
        call = Call(method, "f-1", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        outcome = invoke(
            call, lambda: self.table[method](call, schema.load().check(method, params))
        )
        if isinstance(outcome, VdsmError):
            raise outcome
        result: JSON = json.loads(outcome)
        return result

    def error(self, method: str, **params: JSON) -> VdsmError:
        """The error that the call ends with."""
        with pytest.raises(VdsmError) as raised:
            self.call(method, **params)
        return raised.value

    def code(self, method: str, **params: JSON) -> int:
        """The code of that error."""
        return self.error(method, **params).code
