# SPDX-License-Identifier: GPL-2.0-or-later
"""The stored configuration under readers, and before a vdsm that would like to write it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from process.supervdsm.network.namespace import SOURCES
from supervdsm.network.config import Configuration, Network
from supervdsm.network.transaction.store import Store
from vdsm_contract import paths


def numbered(count: int, mtu: int) -> Configuration:
    names = [f"net{number}" for number in range(count)]
    return Configuration(networks={name: Network(name=name, mtu=mtu) for name in names})


def test_a_reader_sees_one_configuration_or_the_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    both = [numbered(30, 1500), numbered(20, 9000)]
    store.save("staging", both[0])
    ended = threading.Event()
    seen: list[Configuration] = []

    def read() -> None:
        reader = Store(tmp_path)
        while not ended.is_set():
            seen.append(reader.load("staging"))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        store.save("staging", both[turn % 2])
    ended.set()
    for thread in threads:
        thread.join()
    assert len(seen) > 60
    assert all(one in both for one in seen)


_AS_VDSM = """
import os, sys
from pathlib import Path
state = Path(sys.argv[1])
os.setgroups([]); os.setgid(36); os.setuid(36)
print((state / "staging/netconf/nets/net0").read_text())
for path in [state, *state.rglob("*")]:
    for act in (lambda: path.rename(path.with_name("x")), lambda: os.chmod(path, 0o777),
                lambda: path.open("a"), lambda: (path / "new").touch(), lambda: path.unlink()):
        try:
            act()
        except OSError:
            continue
        sys.exit(f"vdsm could change {path}")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become vdsm")
def test_vdsm_reads_it_and_can_change_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = Path(f"/var/tmp/vt-test-store-{os.getpid()}")
    state.mkdir(mode=0o755)
    try:
        store = Store(state)
        store.save("staging", numbered(1, 1500))
        store.persist()
        done = subprocess.run(
            [sys.executable, "-c", _AS_VDSM, str(state)],
            env={"PYTHONPATH": str(SOURCES)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert '"mtu": 1500' in done.stdout
        assert Store(state).running() == Store(state).persistent() == numbered(1, 1500)
    finally:
        subprocess.run(["rm", "-r", str(state)], check=True)


def test_vdsm_s_reader_reads_what_is_written(tmp_path: Path) -> None:
    from vdsm.host.netconf import dirty
    from vdsm.host.tree import HostTree

    state = tmp_path / paths.STATE_DIR.relative_to("/")
    store = Store(state)
    store.save("staging", numbered(3, 1500))
    assert dirty(HostTree(tmp_path))
    store.persist()
    assert not dirty(HostTree(tmp_path))
