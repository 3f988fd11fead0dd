# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs, with a supervdsm of the test's own."""

from pathlib import Path

import pytest

from unit.vdsm.verbs.caller import Client


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)
