# SPDX-License-Identifier: GPL-2.0-or-later
"""Real worker processes: killed, stopped, and left without a parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vdsm.storage import errors
from vdsm.storage.outofprocess.pool import WorkerFiles, WorkerFileSystems
from vdsm.storage.outofprocess.root import Limits

DEADLINE_S = 30.0
TIMEOUT_S = 4.0


@pytest.fixture
def filesystems() -> Iterator[WorkerFileSystems]:
    filesystems = WorkerFileSystems(limits=Limits(timeout_s=TIMEOUT_S))
    yield filesystems
    filesystems.close()


@pytest.fixture
def patient() -> Iterator[WorkerFileSystems]:
    filesystems = WorkerFileSystems(timeout_s=DEADLINE_S)
    yield filesystems
    filesystems.close()


def worker_of(filesystems: WorkerFileSystems, root: Path) -> int:
    """The pid of the one idle worker."""
    filesystems.at(root).exists("begun")
    [(worker, _)] = filesystems._roots[root]._idle
    return worker.pid


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_operations_go_to_a_worker_and_back(patient: WorkerFileSystems, tmp_path: Path) -> None:
    files = patient.at(tmp_path)
    files.mkdir("images/one", parents=True)
    files.write("images/one/a.meta", b"CAP=1\nEOF\n")
    files.create("images/one/a", 1 << 20)
    files.write_at("images/one/a", 4096, b"x" * 4096)
    below = files.below("images")
    assert below.read_many(["one/a.meta", "one/b.meta"]) == [b"CAP=1\nEOF\n", None]
    assert below.read_at("one/a", 0, 8192) == bytes(4096) + b"x" * 4096
    scanned = files.scan("images", 2)
    assert {name: found.kind for name, found in scanned.items()} == {
        "one": "directory",
        "one/a": "file",
        "one/a.meta": "file",
    }
    assert scanned["one/a"] == files.stat("images/one/a")
    assert (scanned["one/a"].size, scanned["one/a"].mode) == (1 << 20, 0o660)
    assert files.space().total >= files.space().available
    assert files.probe_block_size("images/one/a") in (512, 4096)
    assert files.read_delay("images/one/a") >= 0.0
    files.remove_tree("images")
    assert files.list() == []


def test_names_that_are_no_utf8_come_and_go(patient: WorkerFileSystems, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_bytes(b"data")
    files = patient.at(tmp_path)
    [name] = files.list()
    assert files.read(name) == b"data"


def test_an_error_of_the_operation_arrives_with_its_errno_and_name(
    patient: WorkerFileSystems, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        patient.at(tmp_path).below("dom_md").read("metadata")
    assert caught.value.filename == str(tmp_path / "dom_md/metadata")
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(errors.InvalidParameter, match="symbolic link"):
        patient.at(tmp_path).read("link/passwd")


def test_a_worker_has_no_descriptor_of_vdsm(patient: WorkerFileSystems, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        pid = worker_of(patient, tmp_path)
        assert sorted(fd.name for fd in Path(f"/proc/{pid}/fd").iterdir()) == ["0", "1", "2"]
    assert Path(f"/proc/{pid}/comm").read_text() == "vdsm-files\n"


def test_a_worker_that_hangs_is_killed_and_the_next_call_is_served(
    filesystems: WorkerFileSystems, tmp_path: Path
) -> None:
    pid = worker_of(filesystems, tmp_path)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(errors.StorageDomainAccessError) as caught:
        filesystems.at(tmp_path).list()
    assert str(tmp_path) in str(caught.value)
    wait_until(lambda: not is_alive(pid))
    filesystems.at(tmp_path).write("a", b"")
    assert filesystems.at(tmp_path).list() == ["a"]


def test_while_one_call_tries_a_dead_root_others_fail_at_once_and_other_roots_work(
    patient: WorkerFileSystems, tmp_path: Path
) -> None:
    dead, well = tmp_path / "dead", tmp_path / "well"
    for root in (dead, well):
        root.mkdir()
        (root / "a").touch()
    pid = worker_of(patient, dead)
    os.kill(pid, signal.SIGSTOP)
    patient._roots[dead]._suspect = True

    def at(root: Path) -> WorkerFiles:
        return patient.at(root)

    def call() -> None:
        with pytest.raises(errors.StorageDomainAccessError):
            at(dead).list()

    trying = threading.Thread(target=call)
    trying.start()
    wait_until(lambda: patient._roots[dead]._running == 1)
    for _ in range(100):
        with pytest.raises(errors.StorageDomainAccessError, match="is not tried"):
            at(dead).list()
    assert at(well).list() == ["a"]
    os.kill(pid, signal.SIGKILL)
    trying.join(DEADLINE_S)
    assert at(dead).list() == ["a"]
    assert at(dead).list() == ["a"]


def test_a_worker_killed_in_the_middle_is_one_error_and_the_request_is_not_repeated(
    patient: WorkerFileSystems, tmp_path: Path
) -> None:
    pid = worker_of(patient, tmp_path)
    os.kill(pid, signal.SIGSTOP)
    failures: list[Exception] = []

    def call() -> None:
        try:
            patient.at(tmp_path).create("a")
        except errors.StorageDomainAccessError as error:
            failures.append(error)

    calling = threading.Thread(target=call)
    calling.start()
    wait_until(lambda: patient._roots[tmp_path]._running == 1)
    os.kill(pid, signal.SIGKILL)
    calling.join(DEADLINE_S)
    [failure] = failures
    assert "in the middle of create" in str(failure)
    assert patient.at(tmp_path).list() == []


def test_an_idle_worker_that_was_killed_is_not_noticed(
    patient: WorkerFileSystems, tmp_path: Path
) -> None:
    pid = worker_of(patient, tmp_path)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))
    assert patient.at(tmp_path).list() == []


def test_workers_that_nobody_uses_end(tmp_path: Path) -> None:
    filesystems = WorkerFileSystems(limits=Limits(idle_s=0.0, look_s=0.1))
    try:
        pid = worker_of(filesystems, tmp_path)
        wait_until(lambda: not is_alive(pid))
        assert filesystems.at(tmp_path).list() == []
    finally:
        filesystems.close()


def test_a_dropped_root_has_no_workers_and_calls_that_hang_there_end(
    patient: WorkerFileSystems, tmp_path: Path
) -> None:
    pid = worker_of(patient, tmp_path)
    os.kill(pid, signal.SIGSTOP)
    root = patient._roots[tmp_path]
    failures: list[Exception] = []

    def call() -> None:
        try:
            patient.at(tmp_path).list()
        except errors.StorageDomainAccessError as error:
            failures.append(error)

    calling = threading.Thread(target=call)
    calling.start()
    wait_until(lambda: root._running == 1)
    patient.drop(tmp_path)
    calling.join(DEADLINE_S)
    assert len(failures) == 1
    wait_until(lambda: not is_alive(pid))
    assert patient.at(tmp_path).list() == []


def test_a_killed_worker_leaves_no_zombie_behind(tmp_path: Path) -> None:
    filesystems = WorkerFileSystems(limits=Limits(look_s=3600.0))
    pid = worker_of(filesystems, tmp_path)
    filesystems.drop(tmp_path)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    filesystems.close()


def test_as_many_calls_as_there_are_workers_run_at_a_time(
    patient: WorkerFileSystems, tmp_path: Path
) -> None:
    files = patient.at(tmp_path)
    (tmp_path / "a").write_bytes(b"data")
    seen: list[bytes] = []
    threads = [threading.Thread(target=lambda: seen.append(files.read("a"))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert seen == [b"data"] * 30
    assert len(patient._roots[tmp_path]._idle) <= Limits().workers


PARENT = """
import sys, threading
from pathlib import Path
from vdsm.storage.outofprocess.pool import WorkerFileSystems
filesystems = WorkerFileSystems()
def begin():
    filesystems.at(Path(sys.argv[1])).list()
thread = threading.Thread(target=begin)  # a thread that ends takes no worker along
thread.start(); thread.join()
filesystems.at(Path(sys.argv[1])).list()
[(worker, _)] = filesystems._roots[Path(sys.argv[1])]._idle
print(worker.pid, flush=True)
sys.stdin.read()
"""


def test_workers_end_with_vdsm_even_when_they_hang(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        assert is_alive(pid)
        parent.kill()
    wait_until(lambda: not is_alive(pid))
