# SPDX-License-Identifier: GPL-2.0-or-later
"""A network namespace of its own for each test that asks for one."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from process.supervdsm.network.namespace import Namespace, run


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    """Make a namespace and remove it with all its devices."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a network namespace")
    name = f"vt-test-{secrets.token_hex(4)}"
    run("ip", "netns", "add", name)
    try:
        made = Namespace(name, tmp_path / "root", tmp_path / "state")
        (made.host_root / "etc").mkdir(parents=True)
        made.ip("link set lo up")
        yield made
    finally:
        run("ip", "netns", "del", name)
