# SPDX-License-Identifier: GPL-2.0-or-later
"""The host ring: one test host with the pair, under real systemd, podman and Quadlet."""

import os
from collections.abc import Iterator

import pytest

from host.upgrades import Upgrading, set_up
from machines import ROOT, Machine, running

SECONDS = 600
"""What one test may take: real services, on a machine that is shared."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring that time."""
    for item in items:
        if "/tests/host/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def host() -> Iterator[Machine]:
    """The machine. VDSM_TEST_HOST names one that is kept between runs."""
    with running("testhost", "VDSM_TEST_HOST") as machine:
        yield machine


@pytest.fixture(scope="session")
def upgrading() -> Iterator[Upgrading]:
    """A machine of its own whose pair is swapped. VDSM_UPGRADE_HOST names one that runs already."""
    kept = os.environ.get("VDSM_UPGRADE_HOST")
    machine = Machine(ROOT / "containers/testhost", kept or f"swap{os.getpid()}")
    if not kept:
        machine.up()
    try:
        yield set_up(machine)
    finally:
        if not kept:
            machine.down()
