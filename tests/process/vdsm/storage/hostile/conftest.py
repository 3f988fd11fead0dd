# SPDX-License-Identifier: GPL-2.0-or-later
"""One world for all tests here: each gets it as it was, and leaves it so."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from process.vdsm.storage.hostile.world import Inside, World

_INSIDE = pytest.StashKey[Inside]()


@pytest.fixture(scope="package")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("needs root for a mount namespace")
    inside = request.config.stash[_INSIDE] = Inside()
    world = inside.run(lambda: World(tmp_path_factory.mktemp("hostile")))
    yield world
    inside.run(world.close)
    inside.end()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Calls the test in the thread that sees the world's mounts."""
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    pyfuncitem.config.stash[_INSIDE].run(lambda: pyfuncitem.obj(**arguments))
    return True
