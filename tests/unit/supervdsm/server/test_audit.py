# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written down cannot be made to look like something else."""

import logging

import pytest

from supervdsm.server import audit, table
from supervdsm.server.peer import Peer
from supervdsm.server.service import ServiceRoom
from supervdsm.storage.room import StorageRoom
from vdsm_contract.declare import Interface, verb
from vdsm_contract.errors import Busy


def test_a_traceback_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    room = ServiceRoom(calls=None, connections=int, draining=bool)  # type: ignore[arg-type]
    [entry, *_] = table.build([room]).values()
    try:
        raise ValueError("of vdsm's: x\nCRITICAL forged\r\x85INFO forged")
    except ValueError as error:
        audit.unexpected("0123", entry.verb.method, error)
    [record] = caplog.records
    assert "ValueError: of vdsm's: x" in caplog.text
    assert "test_audit.py" in caplog.text
    first, *rest = caplog.handler.format(record).splitlines()
    assert "unexpected 0123 in org.ovirt.supervdsm.service.Hello" in first
    assert [line for line in rest if not line.startswith("| ")] == []


def test_mount_options_are_never_shown() -> None:
    """A cifs password in them is refused, and still nobody may read it in the journal."""
    entry = table.build([StorageRoom()])[StorageRoom.VERBS["mount"].method]
    parameters = entry.verb.parameters(
        fs_spec="server:/x", fs_file="/rhev/data-center/mnt/x", mnt_opts="password=hunter2"
    )
    assert "hunter2" not in audit.arguments(entry, parameters)


@pytest.mark.parametrize(
    "text", ["\x7f", "\x1b[2J", "\n", "\u2028", "\u202e", "\ud800", "A" * 5000]
)
def test_a_line_is_printable_ascii_whatever_was_sent(text: str) -> None:
    entry = table.build([StorageRoom()])[StorageRoom.VERBS["fuser"].method]
    if not text.startswith("\ud800"):  # which no message can carry
        shown = audit.arguments(entry, entry.verb.parameters(fs_file=text))
        assert shown.isascii()
        assert shown.isprintable()
    told = audit.outcome(ValueError(text))
    assert told.isascii()
    assert told.isprintable()


class Bell(Interface, name="org.example.bell"):
    @verb(limit=1, touches="nothing", poll=True)
    def has_rung(self) -> None:
        """Ask again and again."""


class Room(Bell):
    def has_rung(self) -> None: ...


def test_a_poll_that_ends_well_is_told_of_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    [entry] = table.build([Room()]).values()
    peer = Peer(uid=36, pid=4, name="vdsm[4]")
    for level, error in (
        (logging.INFO, None),
        (logging.INFO, Busy(lock="network")),
        (logging.DEBUG, None),
    ):
        caplog.set_level(level, "supervdsm.audit")
        audit.call(peer, entry, None, error, 0.1)
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG"]
