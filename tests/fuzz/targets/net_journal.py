# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal of network changes, and the way back that is planned from what it holds.

Oracle: no file keeps supervdsm from starting: it is a record that can be told of and planned, or
it is set aside; a record is written and read as the same.
"""

from collections.abc import Mapping
from functools import cache

import msgspec

from fuzz.target import require
from fuzz.targets._file import InputFile
from supervdsm.network.plan.state import Address, Device, Ipv6, Route, Rule, State
from supervdsm.network.transaction import durable, recover
from supervdsm.network.transaction.journal import Journal, Record

IS_JSON = True


@cache
def _file() -> InputFile:
    return InputFile("network/journal", 0o600)


class Kept(Journal):
    """A journal that remembers why its file was set aside, and leaves it."""

    reason = ""

    def set_aside(self, reason: str) -> None:
        self.reason = reason


def run(data: bytes) -> None:
    file = _file()
    file.put(data)
    journal = Kept(file.path)
    record = journal.read()
    if record is None:
        require(bool(journal.reason), "no record, and no reason")
        require(len(journal.reason) < 1000, "a reason that repeats the input")
        return
    again = msgspec.json.decode(msgspec.json.encode(record), type=Record)
    require(again == record, "another record")
    require(record.phase in ("open", "committed"), "a phase")
    require("\n" not in record.title, "a title for no log")
    require(bool(recover._when(record)), "no time")
    require(len(durable.beside(file.path).name) < 255, "a name")


def seeds() -> Mapping[str, bytes]:
    state = State(
        devices={
            "eth0": Device(
                name="eth0",
                kind="nic",
                up=True,
                mtu=1500,
                hwaddr="02:00:00:00:00:01",
                master="ovirtmgmt",
                ipv6=Ipv6(disabled=True, accept_ra=0, autoconf=False),
                addresses=(Address("192.0.2.2/24"),),
            ),
            "bond0": Device(name="bond0", kind="bond", options={"mode": "4"}),
        },
        absent=frozenset({"eth0.5"}),
        routes=frozenset({Route(device="eth0", destination="0.0.0.0/0", gateway="192.0.2.1")}),
        rules=frozenset({Rule(table=7, source="192.0.2.0/24")}),
        nameservers=("192.0.2.53",),
    )
    record = Record(
        method="org.ovirt.supervdsm.network.SetupNetworks",
        flow_id="flow-1",
        started=1763870000.5,
        before=state,
        running="netconf.abcdefgh",
    )
    encoded = msgspec.json.encode(record)
    committed = msgspec.json.encode(msgspec.structs.replace(record, phase="committed"))
    return {
        "open": encoded,
        "committed": committed,
        "torn": encoded[: len(encoded) // 2],
        "zeros": bytes(64),
        "format": encoded.replace(b'"format":1', b'"format":2'),
        "deep": encoded[:-1] + b',"x":' + b"[" * 1200,
    }
