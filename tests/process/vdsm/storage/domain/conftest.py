# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage domains on real mounts, by real worker processes.

Every test here runs in a thread with a mount namespace of its own, which ends with the thread; the
workers are started by it and are in the namespace too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from process.vdsm.storage.domain.mounted_site import MountedSite
from supervdsm.storage import kernel
from vdsm.storage.outofprocess.pool import WorkerFileSystems


@pytest.fixture
def site(tmp_path: Path) -> Iterator[MountedSite]:
    if os.geteuid() != 0:
        pytest.skip("needs root for a mount namespace")
    filesystems = WorkerFileSystems()
    yield MountedSite(tmp_path, filesystems)
    filesystems.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Calls the test in a thread with a mount namespace of its own."""
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    def call() -> None:
        kernel.enter_new_mount_namespace()
        pyfuncitem.obj(**arguments)

    done: Future[None] = Future()
    # A daemon: a test that hangs is to fail by pytest's timeout, not to hang pytest.
    threading.Thread(target=_complete, args=(done, call), daemon=True).start()
    done.result()
    return True


def _complete(done: Future[None], call: Callable[[], None]) -> None:
    try:
        call()
    except BaseException as error:  # raised where it is waited for
        done.set_exception(error)
    else:
        done.set_result(None)
