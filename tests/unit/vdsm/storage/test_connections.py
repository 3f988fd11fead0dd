# SPDX-License-Identifier: GPL-2.0-or-later
"""Connecting and disconnecting: what is left behind, and who is not disturbed."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unit.vdsm import trees
from unit.vdsm.fakes import FakeStorage
from vdsm.jsonrpc.errors import JSON
from vdsm.storage.connection_params import Reference
from vdsm.storage.connections import Connections
from vdsm.storage.domain_types import DomainType
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.model import BLANK_UUID
from vdsm_contract import flow
from vdsm_contract.errors import (
    AccessDenied,
    ContractError,
    InvalidArgument,
    MountFailed,
    SupervdsmDied,
    SupervdsmUnavailable,
    UmountFailed,
    Unexpected,
)
from vdsm_contract.limits import MAX_CONNECTIONS

EXPORT = "server:/export"


class World:
    """A tree with an empty directory of mount points, and connections in it."""

    def __init__(self, root: Path) -> None:
        self.mnt = root / "rhev/data-center/mnt"
        self.mnt.mkdir(parents=True)
        self.storage = FakeStorage(root)
        self.tree = trees.recorded(root)
        self.unmounting: list[Path] = []
        self.restart()

    def restart(self) -> None:
        """What vdsm knew is forgotten; what is mounted stays."""
        self.connections = Connections(
            self.storage, self.tree, self.mnt, unmounting=self.unmounting.append
        )

    def connect_as(self, identity: str, spec: str) -> list[int]:
        return self.connections.connect(DomainType.NFS, [Reference(identity, spec, {})])

    def disconnect_as(self, identity: str, spec: str) -> list[int]:
        return self.connections.disconnect([Reference(identity, spec, {})])

    def connect(self, *specs: str, kind: DomainType = DomainType.NFS, **params: JSON) -> list[int]:
        return self.connections.connect(kind, self._references(specs, params))

    def disconnect(self, *specs: str) -> list[int]:
        return self.connections.disconnect(self._references(specs, {}))

    def verbs(self) -> list[str]:
        return [call[0] for call in self.storage.calls]

    def names(self) -> list[str]:
        return sorted(path.name for path in self.mnt.iterdir())

    @staticmethod
    def _references(specs: tuple[str, ...], params: dict[str, JSON]) -> list[Reference]:
        return [Reference(f"id-{n}", spec, params) for n, spec in enumerate(specs)]


_HANGING = """
import sys, threading
from pathlib import Path
from unit.vdsm.storage.test_connections import EXPORT, World

world = World(Path(sys.argv[1]))
mounting = threading.Event()
def mount(*_arguments):
    mounting.set()
    threading.Event().wait()
world.storage.mount = mount
threading.Thread(target=world.connect, args=(EXPORT,), daemon=True).start()
mounting.wait()
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_connect_mounts_and_checks_access(world: World) -> None:
    assert world.connect(EXPORT) == [0]
    target = str(world.mnt / "server:_export")
    options = "soft,nosharecache,timeo=100,retrans=3,nfsvers=3,nolock"
    assert world.storage.calls == [
        ("mount", EXPORT, target, options, "nfs"),
        ("access", "vdsm", "kvm", target, "7"),
        ("access", "qemu", "qemu,sanlock", target, "5"),
    ]
    assert Path(target).stat().st_mode & 0o777 == 0o755


def test_connecting_again_changes_nothing(world: World) -> None:
    assert world.connect(EXPORT) == [0]
    assert world.connect(EXPORT + "/") == [0]
    assert world.names() == ["server:_export"]
    assert world.verbs().count("access") == 2


def test_no_connections_are_none(world: World) -> None:
    assert world.connect() == []
    assert world.disconnect() == []


def test_disconnect_unmounts_and_removes_the_directory(world: World) -> None:
    world.connect(EXPORT)
    assert world.disconnect(EXPORT) == [0]
    assert world.names() == []
    assert world.storage.mounts == {}


def test_a_mount_of_two_connections_goes_with_the_last_one(world: World) -> None:
    assert world.connect_as("one", EXPORT) == world.connect_as("two", EXPORT + "/") == [0]
    assert world.connect_as("one", EXPORT) == [0]  # counts once
    assert world.disconnect_as("one", EXPORT) == world.disconnect_as("one", EXPORT) == [0]
    assert world.names() == ["server:_export"]
    assert world.unmounting == []
    assert world.disconnect_as("two", EXPORT) == [0]
    assert world.names() == []
    assert world.unmounting == [world.mnt / "server:_export"]


def test_who_uses_a_mount_that_goes_is_logged_and_hinders_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for users, said in (([7, 8], "processes 7, 8"), (SupervdsmUnavailable("gone"), "not known")):
        world.connect(EXPORT)
        world.storage.users = users
        assert world.disconnect(EXPORT) == [0]
        assert said in caplog.text
        assert world.names() == []


def test_a_connection_that_has_no_id_yet_holds_no_mount(world: World) -> None:
    world.connect_as(BLANK_UUID, EXPORT)
    world.connect_as("one", EXPORT)
    assert world.disconnect_as("one", EXPORT) == [0]
    assert world.names() == []


def test_a_mount_that_is_found_after_a_restart_goes_with_any_connection(world: World) -> None:
    world.connect_as("one", EXPORT)
    world.connect_as("two", EXPORT)
    world.restart()
    assert world.disconnect_as("three", EXPORT) == [0]
    assert world.names() == []


def test_a_connection_that_was_not_unmounted_can_be_disconnected_again(world: World) -> None:
    world.connect_as("one", EXPORT)
    world.storage.fail_umount = UmountFailed("/", 16, "Device or resource busy")
    assert world.disconnect_as("one", EXPORT) != [0]
    world.storage.fail_umount = None
    assert world.disconnect_as("one", EXPORT) == [0]
    assert world.names() == []


def test_connections_of_a_mount_that_somebody_took_away_are_forgotten(world: World) -> None:
    world.connect_as("one", EXPORT)
    world.storage.umount(str(world.mnt / "server:_export"))
    world.connect_as("two", EXPORT)
    assert world.disconnect_as("two", EXPORT) == [0]
    assert world.names() == []


def test_disconnecting_what_is_not_connected_is_done(world: World) -> None:
    assert world.disconnect(EXPORT) == [0]
    assert world.storage.calls == []


def test_a_directory_that_was_left_behind_is_removed(world: World) -> None:
    (world.mnt / "server:_export").mkdir()
    assert world.disconnect(EXPORT) == [0]
    assert world.names() == []


def test_a_failed_mount_leaves_no_directory(world: World) -> None:
    world.storage.fail_mount[EXPORT] = MountFailed(EXPORT, "", 32, "No route to host")
    assert world.connect(EXPORT) == [477]
    assert world.names() == []
    assert world.verbs() == ["mount"]


def test_one_failure_leaves_the_others_alone(world: World) -> None:
    world.storage.fail_mount["b:/x"] = MountFailed("b:/x", "", 32, "Connection refused")
    assert world.connect("a:/x", "b:/x", "c:/..", "d:/x") == [0, 477, 1000, 0]
    assert world.names() == ["a:_x", "d:_x"]


@pytest.mark.parametrize("user", ["vdsm", "qemu"])
def test_storage_that_cannot_be_used_is_unmounted_again(world: World, user: str) -> None:
    world.storage.fail_access[user] = AccessDenied(user, "/x", "write")
    assert world.connect(EXPORT) == [469]
    assert world.names() == []
    assert world.storage.mounts == {}


def test_a_mount_of_unknown_outcome_is_taken_back(world: World) -> None:
    world.storage.fail_mount[EXPORT] = SupervdsmDied()
    world.storage.mount_anyway = True
    assert world.connect(EXPORT) == [100]
    assert world.storage.mounts == {}
    assert world.names() == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SupervdsmUnavailable("refused"), 40),
        (Unexpected("a1"), 100),
        (SupervdsmDied(), 100),
        (InvalidArgument("mntOpts", "option 'suid' is not allowed"), 1000),
        (InvalidArgument("fsSpec", "No such file or directory"), 477),
    ],
)
def test_errors_become_ovirts_statuses(world: World, error: ContractError, status: int) -> None:
    world.storage.fail_mount[EXPORT] = error
    assert world.connect(EXPORT) == [status]
    assert world.names() == []


def test_a_failed_clean_up_is_told_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.storage.fail_access["vdsm"] = AccessDenied("vdsm", "/x", "write")
    world.storage.fail_umount = SupervdsmDied()
    assert world.connect(EXPORT) == [469]
    assert "Failed to clean up" in caplog.text
    assert world.names() == ["server:_export"]


def test_something_else_on_the_mount_point_stays(world: World) -> None:
    """`a/_b` and `a_/b` have one name in oVirt's spelling."""
    assert world.connect("server:/a/_b") == [0]
    assert world.connect("server:/a_/b") == [477]
    assert list(world.storage.mounts.values()) == ["server:/a/_b"]
    assert world.names() == ["server:_a___b"]


def test_a_failed_umount_is_told(world: World) -> None:
    world.connect(EXPORT)
    world.storage.fail_umount = UmountFailed("x", 16, "Device or resource busy")
    assert world.disconnect(EXPORT) == [477]
    assert world.names() == ["server:_export"]


def test_files_in_the_directory_are_not_removed(world: World) -> None:
    (world.mnt / "server:_export").mkdir()
    (world.mnt / "server:_export/precious").touch()
    assert world.disconnect(EXPORT) == [452]
    assert world.names() == ["server:_export"]
    world.storage.fail_mount[EXPORT] = MountFailed(EXPORT, "", 32, "no")
    assert world.connect(EXPORT) == [477]
    assert (world.mnt / "server:_export/precious").exists()


def test_a_file_in_the_way(world: World) -> None:
    (world.mnt / "server:_export").touch()
    assert world.connect(EXPORT) == [451]
    assert world.storage.calls == []


def test_local_storage_replaces_the_link_of_vdsm_from_packages(world: World) -> None:
    link = world.mnt / "_data"
    link.symlink_to("/data")
    assert world.connect("/data", kind=DomainType.LOCALFS) == [0]
    assert not link.is_symlink()
    assert world.storage.calls[0][3:] == ("bind", "none")


def test_a_link_is_no_place_for_other_storage(world: World) -> None:
    (world.mnt / "server:_export").symlink_to("/etc")
    assert world.connect(EXPORT) == [451]
    assert world.storage.calls == []
    assert world.disconnect(EXPORT) == [0]
    assert world.names() == []


@pytest.mark.parametrize("spec", ["", "a:/\n", "a:/../etc", "x" * 1001, "-t:/x", "a:/" + "_" * 200])
def test_hostile_connections_change_nothing(world: World, spec: str) -> None:
    assert world.connect(spec) == [1000]
    assert world.disconnect(spec) == [1000]
    assert world.names() == []
    assert world.storage.calls == []


def test_a_blank_in_the_name_is_found_in_mountinfo(world: World) -> None:
    assert world.connect("server:/my export") == [0]
    assert world.connect("server:/my export") == [0]
    assert world.verbs().count("access") == 2


def test_connections_are_made_side_by_side_in_the_same_flow(world: World) -> None:
    world.storage.rendezvous = threading.Barrier(3)
    flows: list[str] = []
    mount = world.storage.mount

    def noting(*args: str) -> None:
        flows.append(flow.current())
        mount(*args)

    world.storage.mount = noting  # type: ignore[method-assign,assignment]
    with flow.bound("f-1"):
        assert world.connect("a:/x", "b:/x", "c:/x") == [0, 0, 0]
    assert flows == ["f-1"] * 3


def test_one_mount_point_at_a_time(world: World) -> None:
    assert world.connect(*[EXPORT] * 20) == [0] * 20
    assert world.verbs().count("access") == 2


def test_passwords_are_not_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    world.storage.fail_mount[EXPORT] = MountFailed(EXPORT, "", 32, "no")
    world.connect(EXPORT, user="u", password="geheim")
    assert "477" in caplog.text
    assert "geheim" not in caplog.text


def test_a_keyed_lock_forgets_its_keys() -> None:
    lock = KeyedLock()
    with lock.holding("a"), lock.holding("b"):
        pass
    assert lock._locks == {}


def test_a_mount_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-c", _HANGING, str(tmp_path)]
    subprocess.run(command, env={"PYTHONPATH": path}, timeout=20, check=True)


def test_dead_servers_leave_connections_to_supervdsm_for_others(world: World) -> None:
    """Whatever many calls ask for, only some of a proxy's connections wait for storage."""
    gate = threading.Event()
    running, most, lock = 0, 0, threading.Lock()

    def mount(*_arguments: object) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(1)
        with lock:
            running -= 1

    world.storage.mount = mount  # type: ignore[method-assign]
    calls = [
        threading.Thread(target=world.connect, args=[f"server{n}:/{m}" for m in range(8)])
        for n in range(5)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert 8 < most <= MAX_CONNECTIONS // 2
