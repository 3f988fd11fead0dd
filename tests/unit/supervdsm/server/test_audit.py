# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written down cannot be made to look like something else."""

import pytest

from supervdsm.server import audit, table
from supervdsm.server.service import ServiceRoom


def test_a_traceback_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    room = ServiceRoom(calls=None, connections=int, draining=bool)  # type: ignore[arg-type]
    [entry, *_] = table.build([room]).values()
    try:
        raise ValueError("of vdsm's: x\nCRITICAL forged\r\x85INFO forged")
    except ValueError as error:
        audit.unexpected("0123", entry, error)
    [record] = caplog.records
    assert "ValueError: of vdsm's: x" in caplog.text
    assert "test_audit.py" in caplog.text
    first, *rest = caplog.handler.format(record).splitlines()
    assert "unexpected 0123 in org.ovirt.supervdsm.service.Hello" in first
    assert [line for line in rest if not line.startswith("| ")] == []
