# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines that the daemons write today are those that a timeline is made of."""

import logging
import time

import pytest

from supervdsm.server import audit, table
from supervdsm.server.peer import Peer
from supervdsm.storage.room import StorageRoom
from vdsm.jsonrpc import dispatch
from vdsm.jsonrpc.errors import Code, VdsmError
from vdsm.jsonrpc.registry import Address, Call
from vdsm_contract.errors import MountFailed
from vdsm_tool.trace import journal
from vdsm_tool.trace.timeline import Entry, Event, timeline

FLOWS = ["1a2b", 'a "flow" of $(mine)', "x" * 200]


def shown(caplog: pytest.LogCaptureFixture, who: str, flow_id: str) -> list[Event]:
    """Return the events of the one line that was logged; it must be found by its flow."""
    [record] = caplog.records
    line = f"{record.levelname} {record.name}: {record.getMessage()}"
    assert journal.belongs(line, flow_id)
    return timeline(flow_id, [Entry(1000.0, who, line)]).events


@pytest.mark.parametrize("flow_id", FLOWS)
def test_a_call_of_supervdsm(caplog: pytest.LogCaptureFixture, flow_id: str) -> None:
    entry = table.build([StorageRoom()])[StorageRoom.VERBS["mount"].method]
    given = entry.verb.parameters(fs_spec="a:/b outcome=ok", fs_file="/c", flow_id=flow_id)
    error = MountFailed("a:/b", "/c", 32, 'no "such" thing')
    with caplog.at_level(logging.INFO):
        audit.call(Peer(uid=36, pid=4, name="vdsm[4]"), entry, given, error, 1.25)
    [event] = shown(caplog, "supervdsm", flow_id)
    assert event.what.startswith('storage.Mount {"fs_spec":"a:/b outcome=ok"')
    assert event.what.endswith("by vdsm[4]")
    assert event.outcome.startswith('MountFailed "')
    assert (event.at, event.duration, event.level) == (998.75, 1.25, "WARNING")


@pytest.mark.parametrize("flow_id", FLOWS)
@pytest.mark.parametrize("code", [0, 1100])
def test_a_call_of_the_api(caplog: pytest.LogCaptureFixture, flow_id: str, code: int) -> None:
    kept = flow_id[:128]  # what the session keeps of it
    call = Call("Host.getStats", kept, Address("192.0.2.1", 4711), Address("192.0.2.2", 54321))
    outcome = VdsmError(Code.RESOURCE_EXHAUSTED) if code else b"{}"
    now = time.monotonic()
    with caplog.at_level(logging.INFO):
        dispatch._log_call(call, outcome, now - 3.0, now - 2.0)
    asked, served = shown(caplog, "vdsm", flow_id)
    assert asked.what == "192.0.2.1:4711 calls Host.getStats"
    assert served.at - asked.at == pytest.approx(1.0, abs=0.01)
    assert served.duration is not None
    assert served.duration >= 2.0
    assert served.outcome.startswith(f"code {code} " if code else "ok")
