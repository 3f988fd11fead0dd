# SPDX-License-Identifier: GPL-2.0-or-later
"""The host ring: one test host with the pair, under real systemd, podman and Quadlet."""

import os
from collections.abc import Iterator

import pytest

from machines import Machine, testhost

pytestmark = pytest.mark.timeout(600)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring the time that real services need."""
    for item in items:
        if "/tests/host/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def host() -> Iterator[Machine]:
    """A test host with the pair running. VDSM_TEST_HOST names one that is kept between runs."""
    kept = os.environ.get("VDSM_TEST_HOST")
    machine = testhost(kept or f"ring{os.getpid()}")
    machine.up()
    try:
        yield machine
    finally:
        if not kept:
            machine.down()
