# SPDX-License-Identifier: GPL-2.0-or-later
"""The vm ring: one test VM with the pair and a kernel of its own."""

from collections.abc import Iterator

import pytest

from machines import Machine, running
from vm import leases
from vm.engine import Engine
from vm.peer import Cables, Peer
from vm.shell import Shell
from vm.site import Site

SECONDS = 1200
"""What one test may take: real services, on a machine that is shared."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this ring that time."""
    for item in items:
        if "/tests/vm/" in str(item.path) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def vm(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The machine. VDSM_TEST_VM names one that is kept between runs."""
    with running("testvm", "VDSM_TEST_VM", request.session) as machine:
        yield machine


@pytest.fixture(scope="session")
def leased(vm: Machine) -> Machine:
    """The machine with quick leases, from its first test with sanlock to its end."""
    leases.quicken(vm)
    return vm


@pytest.fixture(scope="session")
def shell(vm: Machine) -> Iterator[Shell]:
    """A shell in it that stays."""
    shell = Shell(vm)
    yield shell
    shell.close()


@pytest.fixture(scope="session")
def engine(vm: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine beside it that has enrolled it."""
    directory = tmp_path_factory.mktemp("engine")
    vm.copy_out("/etc/pki/vdsm", directory / "pki")
    engine = Engine(vm, directory / "pki")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def cables(vm: Machine) -> Cables:
    """The plugs of its NICs."""
    return Cables(vm)


@pytest.fixture(scope="module")
def site(engine: Engine, shell: Shell) -> Iterator[Site]:
    """The VM with nothing on eth1 and eth2, the world at their other ends, and so again at the
    end."""
    site = Site(engine, shell, Peer(shell))
    site.build()
    try:
        yield site
    finally:
        site.take_away()


@pytest.fixture
def clean(site: Site) -> Iterator[Site]:
    """A site whose networks go after the test."""
    yield site
    site.clear()
    assert site.stored() == {"staging": [], "persistence": []}
