# SPDX-License-Identifier: GPL-2.0-or-later
"""The host ring: one test host with the pair, under real systemd, podman and Quadlet."""

from collections.abc import Iterator

import pytest

from machines import Machine, running

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
