# SPDX-License-Identifier: GPL-2.0-or-later
"""The vm ring: one test VM with the pair and a kernel of its own."""

from collections.abc import Iterator

import pytest

from machines import Machine, running

SECONDS = 1200
"""What one test may take: real services, on a machine that is shared."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring that time."""
    for item in items:
        if "/tests/vm/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def vm() -> Iterator[Machine]:
    """The machine. VDSM_TEST_VM names one that is kept between runs."""
    with running("testvm", "VDSM_TEST_VM") as machine:
        yield machine
