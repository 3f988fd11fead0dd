# SPDX-License-Identifier: GPL-2.0-or-later
"""Every test here runs in a thread with a mount namespace of its own, which ends with the thread.

So the machine's own mounts are never touched, and nothing has to be unmounted, however a test ends.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from process.supervdsm.storage.site import Site
from supervdsm.storage import kernel


@pytest.fixture
def site() -> Iterator[Site]:
    """A host's tree; what is mounted in it is mounted when the test begins."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a mount namespace")
    if not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs loop devices and e2fsprogs")
    # Not pytest's own directory: only root may enter that, and vdsm's uid must.
    with tempfile.TemporaryDirectory(prefix="vdsm-test-") as name:
        root = Path(name)
        root.chmod(0o755)
        made = Site(root)
        made.make_directories()
        yield made


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the test in a thread with a mount namespace of its own."""
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    def call() -> None:
        kernel.enter_new_mount_namespace()
        site = arguments.get("site")
        if isinstance(site, Site):
            site.mount_trees()
        pyfuncitem.obj(**arguments)

    done: Future[None] = Future()
    # A daemon: a test that hangs is to fail by pytest's timeout, not to hang pytest.
    threading.Thread(target=_complete, args=(done, call), daemon=True).start()
    done.result()
    return True


def _complete(done: "Future[None]", call: Callable[[], None]) -> None:
    try:
        call()
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(None)
