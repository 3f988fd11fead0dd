# SPDX-License-Identifier: GPL-2.0-or-later
"""What a vdsm that was broken into can reach beside supervdsm's verbs: nothing.

The attacks run as uid 36 in vdsm's own container, with its real capabilities and system calls.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine
from security.campaign import base64s
from security.siege import Siege
from security.verbs import HELLO, TARGET
from vdsm_contract import paths
from vdsm_contract.limits import CONNECTIONS_PER_UID, MAX_MESSAGE

MIB = 1 << 20
SPARE = 8
"""Descriptors that supervdsm may open meanwhile for its own ends."""
ABSTRACT = "vdsm-test-abstract"

# x86-64; those that test_units.py tries are not here.
CALLS = {
    "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312,
    "open_tree": 428, "move_mount": 429, "fsmount": 432, "fspick": 433, "mount_setattr": 442,
    "swapon": 167, "reboot": 169, "syslog": 103, "iopl": 172, "ioperm": 173, "acct": 163,
    "quotactl": 179, "sethostname": 170, "settimeofday": 164, "clock_settime": 227,
    "adjtimex": 159, "name_to_handle_at": 303, "request_key": 249, "delete_module": 176,
    "kexec_file_load": 320, "io_uring_enter": 426, "io_uring_register": 427, "vhangup": 153,
    "modify_ldt": 154, "personality": 135, "mknodat": 259, "fanotify_init": 300, "ustat": 136,
}  # fmt: skip

WRITE = (
    *("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches"),
    *(
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
        "/sys/kernel/mm/ksm/run",
    ),
    *("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent"),
    *("/etc/passwd", "/etc/ld.so.preload", "/etc/vdsm/vdsm.conf", "/etc/pki/vdsm/keys/vdsmkey.pem"),
    *("/opt/venv/bin/python", "/usr/bin/su", "/run/vdsm/svdsm.pid", "/run/sanlock/mine"),
    *("/dev/kmsg", "/dev/mem", "/dev/sda", "/dev/loop0", "/dev/fuse", "/proc/kcore"),
    *("/var/lib/vdsm/staging/netconf/nets/x", "/var/lib/vdsm/supervdsm/journal"),
)

WRITABLE = {
    *("/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"),
    *("/dev/mqueue", "/dev/pts/ptmx", "/dev/shm", "/run/lock", "/tmp", "/var/tmp"),
    *("/rhev/data-center", "/run/vdsm/storage", "/var/lib/vdsm/storage"),
}
"""All that vdsm may write to: devices without a state, its own tmpfs, the trees that are its."""


@pytest.fixture(scope="module")
def siege(host: Machine) -> Iterator[Siege]:
    siege = Siege(host)
    siege.begin()
    yield siege
    siege.end()


@pytest.fixture(scope="module")
def escape(siege: Siege) -> Any:
    """How all tries to get out of the container ended."""
    listen = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX);"
        f"s.bind('\\0{ABSTRACT}'); s.listen(); print(flush=True); sys.stdin.read()"
    )
    listener = siege.host.start("python3", "-c", listen)
    assert listener.stdout is not None
    assert listener.stdout.readline() == b"\n"
    try:
        pids = [1, *map(siege.host.pid, ("supervdsm", "vdsm"))]
        return siege.attack("container", pids=pids, abstract=[ABSTRACT], write=WRITE, calls=CALLS)
    finally:
        listener.communicate()


def test_processes_of_the_host_are_neither_seen_nor_signalled(escape: Any) -> None:
    assert {uid for _pid, uid, _name in escape["processes"]} == {paths.VDSM_UID}
    assert {name for _pid, _uid, name in escape["processes"]} <= {"vdsm", "python", "python3"}
    assert len(escape["signal"]) >= 1
    assert set(escape["signal"].values()) == {"ESRCH"}
    assert set(escape["proc"].values()) == {"ENOENT"}
    assert escape["root of pid 1"]


def test_no_file_but_its_own_can_be_written(escape: Any) -> None:
    writable = {path for path in escape["writable"] if not path.startswith("/rhev/data-center/")}
    assert writable == WRITABLE
    assert {path: how for path, how in escape["write"].items() if how == "ok"} == {}


def test_the_socket_of_supervdsm_cannot_be_replaced(escape: Any) -> None:
    assert set(escape["run"].values()) <= {"EROFS", "EXDEV"}
    assert escape["run"]["unlink"] == "EROFS"


def test_supervdsm_and_sanlock_are_all_that_takes_a_connection(escape: Any) -> None:
    own = ("/rhev/data-center/", "/tmp/", "/var/lib/vdsm/storage/")
    sockets = {path for path in escape["sockets"] if not path.startswith(own)}
    assert str(paths.SUPERVDSM_SOCKET) in sockets
    assert sockets <= {str(paths.SUPERVDSM_SOCKET), "/run/sanlock/sanlock.sock"}
    assert escape["abstract"] == {ABSTRACT: "ECONNREFUSED"}
    assert escape["abstract seen"] == []


def test_system_calls_that_lead_out_are_refused(escape: Any) -> None:
    assert {
        name: how for name, how in escape["calls"].items() if how not in ("EPERM", "ENOSYS")
    } == {}
    assert escape["node"] == "EPERM"
    assert escape["kcore"] in ("ENOENT", "EACCES")


def test_nobody_can_claim_to_be_another(escape: Any) -> None:
    assert escape["credentials of root"] == "EPERM"


def test_a_connection_is_judged_by_who_made_it(siege: Siege) -> None:
    """Whom vdsm hands its connection to speaks as vdsm, as if vdsm passed words on. A connection
    of its own is refused: there is no way in but through vdsm."""
    meet = f"{TARGET}-meet"
    gives = siege.start("handover", role="give", meet=meet)
    try:
        assert gives.stdout is not None
        assert gives.stdout.readline() == b"listening\n"
        took = siege.outside("handover", role="take", meet=meet)
    finally:
        gives.communicate(timeout=60)
    assert took == {"given": "ok", "own": "PeerRefused", "then": "ended"}


# --- wearing it out -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strain(siege: Siege) -> Any:
    """How each way to wear a connection out ended, and what others saw while a uid held all of its
    connections."""
    siege.host.client("Host", "getNetworkCapabilities")  # vdsm has a connection, and keeps it
    before = open_files(siege)
    process = siege.start("strain")
    assert process.stdin is not None
    assert process.stdout is not None
    report: dict[str, Any] = json.loads(process.stdout.readline())
    # The sessions that were ended give their descriptors back a moment later.
    pid = siege.host.pid("supervdsm")
    siege.host.wait(f"[ $(ls /proc/{pid}/fd | wc -l) -le {before + SPARE} ]")
    process.stdin.write(b"\n")
    process.stdin.flush()
    report |= json.loads(process.stdout.readline())
    report["files"] = open_files(siege) - before
    ping = ["varlinkctl", "call", str(paths.SUPERVDSM_SOCKET), "org.ovirt.supervdsm.service.Ping"]
    report["vdsm"] = "nics" in siege.host.client("Host", "getNetworkCapabilities")
    report["root"] = siege.host.run(*ping, "{}", check=False).returncode
    process.communicate(b"\n", timeout=60)
    report["again"] = siege.attack("talk", connections=[base64s(HELLO)])
    return report


def open_files(siege: Siege) -> int:
    return int(siege.host.sh(f"ls /proc/{siege.host.pid('supervdsm')}/fd | wc -l"))


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("slow", "did not end in time"),
        ("urgent", "did not end in time"),
        ("endless", "too large"),
    ],
)
def test_what_wears_a_connection_out_ends_it(strain: Any, way: str, told: str) -> None:
    assert any(told in each for each in strain[way]), strain[way]


def test_of_a_message_without_an_end_no_more_is_taken_than_may_be(strain: Any) -> None:
    assert int(strain["endless"][-1].split()[0]) <= MAX_MESSAGE // MIB + 2


def test_a_client_that_reads_no_answers_is_dropped(strain: Any) -> None:
    assert strain["deaf"] == ["ended"]


def test_descriptors_that_come_with_a_message_do_not_stay(strain: Any) -> None:
    assert strain["descriptors"] == ["ok"]
    # The fixture has waited until supervdsm had no more than before.


def test_more_connections_than_there_may_be_hurt_nobody_else(strain: Any) -> None:
    # vdsm itself holds some of them.
    assert 0 < strain["many"]["served"] <= CONNECTIONS_PER_UID
    assert strain["many"]["served"] + strain["many"]["refused"] == 300
    assert strain["files"] <= CONNECTIONS_PER_UID + SPARE
    assert strain["root"] == 0
    assert strain["vdsm"]
    assert "error" not in strain["again"][0][0]


# --- what is mounted ----------------------------------------------------------------------------


def test_nothing_that_is_mounted_gives_power(siege: Siege) -> None:
    """A set-id program and a device node on what vdsm may mount are of no use there."""
    siege.host.sh(
        "cp /bin/true /srv/attack/suid && chmod 4755 /srv/attack/suid;"
        "mknod -m 666 /srv/attack/null c 1 3"
    )
    told = siege.attack("power", target=f"{TARGET}-power", source="/srv/attack")
    assert told == {
        "mount": "ok",
        "set-id program": "PermissionError",
        "device node": "PermissionError",
        "umount": "ok",
    }
