# SPDX-License-Identifier: GPL-2.0-or-later
"""A front for each test: in plain TCP where TLS does not matter, with TLS where it does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from front import pki
from front.manager import Manager
from vdsm.jsonrpc.tls import Identity


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """vdsm's key and certificate, and the CA of both sides."""
    return pki.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Manager]:
    """A front in plain TCP that the test configures and starts."""
    with Manager(tmp_path) as manager:
        yield manager


@pytest.fixture
def fresh(stopped: Manager) -> Manager:
    """A running front in plain TCP, for this test alone."""
    return stopped.start()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """A running front in plain TCP that the tests of a module share."""
    with Manager(tmp_path_factory.mktemp("front")) as manager:
        yield manager.start()


@pytest.fixture
def tls_front(tmp_path: Path, identity: Identity) -> Iterator[Manager]:
    """A running front with mutual TLS."""
    with Manager(tmp_path, identity.key.parents[1]) as manager:
        yield manager.start()
