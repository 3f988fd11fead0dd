# SPDX-License-Identifier: GPL-2.0-or-later
"""The vm ring: one test VM with the pair and a kernel of its own."""

import os
from collections.abc import Iterator

import pytest

from machines import Machine, testvm


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring the time that an emulated machine needs."""
    for item in items:
        if "/tests/vm/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def vm() -> Iterator[Machine]:
    """A test VM with the pair running. VDSM_TEST_VM names one that is kept between runs."""
    kept = os.environ.get("VDSM_TEST_VM")
    machine = testvm(kept or f"ring{os.getpid()}")
    machine.up()
    try:
        yield machine
    finally:
        if not kept:
            machine.down()
