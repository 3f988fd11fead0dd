# SPDX-License-Identifier: GPL-2.0-or-later
"""The host ring: one test host with the pair, under real systemd, podman and Quadlet."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from host.upgrades import Upgrading, set_up
from machines import ROOT, Machine, coming, own_machine, running

SECONDS = 600
"""What one test may take: real services, on a machine that is shared."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring that time."""
    for item in items:
        if "/tests/host/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session", autouse=True)
def vms_on_their_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Boot the VMs of the vm ring meanwhile, if that is run after this one.

    Not before: they take what two cores can give for more than a minute.
    """
    wanted = {
        fixture
        for item in request.session.items
        if "/tests/vm/" in str(item.path) and isinstance(item, pytest.Function)
        for fixture in item.fixturenames
    }
    logs = tmp_path_factory.getbasetemp()
    with ExitStack() as machines:
        if "vm" in wanted and "VDSM_TEST_VM" not in os.environ:
            ring = own_machine("testvm", "ring")
            machines.enter_context(coming(ring, logs / "ring-vm.log"))
        if "bare" in wanted:
            plain = own_machine("testvm", "install")
            machines.enter_context(coming(plain, logs / "install-vm.log", bare=True))
        yield


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
