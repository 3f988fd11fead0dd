# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that may not come in, and peers that break the protocol: refused, written down, no harm."""

import json
import resource
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.interface import Faults
from process.conftest import Manager
from vdsm_contract.errors import (
    InvalidArgument,
    ProtocolError,
    TooManyConnections,
    VersionMismatch,
)
from vdsm_contract.limits import CONNECTIONS_PER_UID, HELLO_DEADLINE, MAX_MESSAGE
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.version import CONTRACT_VERSION

SERVICE = "org.ovirt.supervdsm.service"

RAW_CLIENT = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(8)
sock.connect(sys.argv[1])
try:
    sock.sendall(sys.stdin.buffer.read())
except OSError:
    pass
while True:
    try:
        data = sock.recv(65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    if data.endswith(b'\\0') and len(sys.argv) > 2:
        break
"""


def call(method: str, **parameters: object) -> bytes:
    return json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"


HELLO = call(f"{SERVICE}.Hello", contract=CONTRACT_VERSION)
PING = call(f"{SERVICE}.Ping")


def replies(data: bytes) -> list[dict[str, object]]:
    return [json.loads(part) for part in data.split(b"\0") if part]


def errors(data: bytes) -> list[str]:
    return [str(reply.get("error", "ok")).rpartition(".")[2] for reply in replies(data)]


class Raw:
    """Sends bytes as some uid from some cgroup and returns what came back until the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        [mount] = [
            line.split()[1]
            for line in Path("/proc/self/mounts").read_text().splitlines()
            if line.split()[2] == "cgroup2"
        ][:1]
        self.slice = Path(mount) / f"vdsm-test-{uuid.uuid4().hex[:8]}"
        self.group = self.slice / "vdsm.service"
        self.group.mkdir(parents=True)

    @property
    def vdsm_cgroup(self) -> str:
        return f"/{self.slice.name}/vdsm.service"

    def send(self, data: bytes, *, uid: int = 36, cgroup: bool = True, once: bool = False) -> bytes:
        join = f"echo $$ > {self.group}/cgroup.procs; " if cgroup else ""
        script = f'{join}exec setpriv --reuid {uid} --regid {uid} --clear-groups "$@"'
        argv = [
            "/usr/bin/python3",
            "-I",
            "-c",
            RAW_CLIENT,
            str(self.path),
            *(["once"] if once else []),
        ]
        run = subprocess.run(
            ["sh", "-c", script, "sh", *argv],
            input=data,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def remove(self) -> None:
        self.group.rmdir()
        self.slice.rmdir()


@pytest.fixture
def raw(manager: Manager) -> Iterator[Raw]:
    raw = Raw(manager.path)
    manager.arguments = ("--vdsm-cgroup", raw.vdsm_cgroup)
    manager.start()
    manager.ready()
    try:
        yield raw
    finally:
        Supervdsm(manager.path).service.ping()  # whatever happened, the others are served
        assert manager.exits == []
        raw.remove()


def test_vdsm_in_its_service_is_served(raw: Raw) -> None:
    assert errors(raw.send(HELLO + PING, once=True)) in (["ok"], ["ok", "ok"])


def test_another_uid_is_refused(manager: Manager, raw: Raw) -> None:
    assert errors(raw.send(HELLO + PING, uid=12345)) == ["PeerRefused"]
    assert "uid 12345" in manager.log.read_text()


def test_vdsm_uid_outside_of_its_service_is_refused(manager: Manager, raw: Raw) -> None:
    assert errors(raw.send(HELLO + PING, cgroup=False)) == ["PeerRefused"]
    assert f"not in {raw.vdsm_cgroup}" in manager.log.read_text()


def test_no_hello(raw: Raw) -> None:
    assert errors(raw.send(PING)) == ["HelloRequired"]


def test_introspection_needs_no_hello(raw: Raw) -> None:
    reply = raw.send(call("org.varlink.service.GetInfo"), once=True)
    assert replies(reply)[0]["parameters"]["product"] == "supervdsm"  # type: ignore[index]


def test_wrong_contract_version(manager: Manager, raw: Raw) -> None:
    assert errors(raw.send(call(f"{SERVICE}.Hello", contract="0") + PING)) == ["VersionMismatch"]
    with pytest.raises(VersionMismatch) as caught:
        Supervdsm(manager.path, contract="99").service.ping()
    assert (caught.value.server, caught.value.client) == (CONTRACT_VERSION, "99")


def test_a_wrong_version_in_a_later_hello_ends_the_connection_as_well(raw: Raw) -> None:
    other = call(f"{SERVICE}.Hello", contract="0")
    assert errors(raw.send(HELLO + other + PING)) == ["ok", "VersionMismatch"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * (MAX_MESSAGE + 100_000), "too large"),
        (b'{"method": "org', "did not end in time"),
        (b"\xff\xfe\0", "malformed"),
        (b'{"method": "\xff\xfe"}\0', "utf-8"),
        (b'{"parameters":' + b"[" * 200_000 + b"\0", "nested"),
        (b'{"parameters":' + b'{"a":' * 100_000 + b"\0", "nested"),
        (b'{"method": 1}\0', "Expected `str`"),
        (b"[]\0", "Expected `object`"),
        (b"\0", "truncated"),
        (b"\0\0\0\0", "truncated"),
    ],
)
def test_a_bad_message_ends_its_connection(raw: Raw, data: bytes, words: str) -> None:
    [reply] = replies(raw.send(data))
    assert str(reply["error"]).endswith(".BadMessage")
    assert words.lower() in reply["parameters"]["reason"].lower()  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        (f"{SERVICE}.Nothing", "MethodNotFound"),
        ("org.ovirt.supervdsm.nowhere.Ping", "InterfaceNotFound"),
        ("__class__", "InterfaceNotFound"),
        ("", "InterfaceNotFound"),
        ("org.ovirt.supervdsm.service.ping", "MethodNotFound"),
    ],
)
def test_unknown_methods(raw: Raw, method: str, error: str) -> None:
    assert errors(raw.send(HELLO + call(method)[:-1] + b"\0" + b"!\0"))[:2] == ["ok", error]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"word": 1}, "word"),
        ({}, "word"),
        ({"word": "w", "other": 1}, "other"),
        ({"word": "w", "flowId": "f" * 1000}, "flowId"),
        ({"word": "w", "flowId": 5}, "flowId"),
    ],
)
def test_a_wrong_argument_is_named(
    manager: Manager, raw: Raw, parameters: dict[str, object], field: str
) -> None:
    data = raw.send(HELLO + call("org.ovirt.supervdsm.faults.Effect", **parameters) + b"!\0")
    assert replies(data)[1]["error"] == InvalidArgument.name
    assert replies(data)[1]["parameters"]["field"] == field  # type: ignore[index]
    assert manager.ran() == []


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (call(f"{SERVICE}.Ping", **{"x" * (MAX_MESSAGE - 100): 1}), "InvalidArgument"),
        (b'{"method":"%s.' % SERVICE.encode() + b"x" * (MAX_MESSAGE - 100) + b'"}\0', "MethodNot"),
        (b'{"method":"' + b"x" * (MAX_MESSAGE - 20) + b'.x"}\0', "InterfaceNotFound"),
    ],
    ids=["field", "method", "interface"],
)
def test_a_giant_name_is_not_thrown_back(raw: Raw, request_: bytes, error: str) -> None:
    reply = raw.send(HELLO + request_ + PING + b"!\0")
    assert errors(reply)[1].startswith(error)
    assert errors(reply)[2:] == ["ok", "BadMessage"]
    assert len(reply) < 4096


@pytest.mark.parametrize(
    ("method", "argument", "outcome"),
    [
        (f"{SERVICE}.Ping", "x", "InvalidArgument"),
        ("org.ovirt.supervdsm.faults.Overstay", "path", "InvalidArgument"),
        ("org.varlink.service.GetInterfaceDescription", "interface", "InterfaceNotFound"),
    ],
)
def test_messages_are_not_kept(manager: Manager, method: str, argument: str, outcome: str) -> None:
    def resident() -> int:
        [line] = [
            line
            for line in Path(f"/proc/{manager.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS:")
        ]
        return int(line.split()[1]) * 1024

    manager.environment["MALLOC_MMAP_THRESHOLD_"] = "65536"  # what is freed is not resident
    manager.start()
    manager.ready()
    request = call(method, **{argument: "x" * (MAX_MESSAGE - 1000)})
    with ExitStack() as idle:
        socks = [idle.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(14)]
        before = 0
        for sock in socks:
            sock.settimeout(10)
            sock.connect(str(manager.path))
            sock.sendall(request)
            assert errors(sock.recv(65536)) == [outcome]
            before = before or resident()
        assert resident() - before < 4 * MAX_MESSAGE


def test_without_descriptors_calls_are_still_served(manager: Manager) -> None:
    manager.environment["VDSM_WATCHDOG_USEC"] = "600000"
    manager.start()
    manager.ready()
    supervdsm = Supervdsm(manager.path)
    supervdsm.service.ping()  # makes its connection
    pid = manager.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, limits[1]))  # 0 to 3 are taken
    try:
        manager.wait(lambda: "a probe call was not answered" in manager.log.read_text())
        supervdsm.service.ping()
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    manager.states.clear()
    manager.wait(lambda: "WATCHDOG=1" in manager.states)
    assert manager.pid == pid


def test_a_client_that_stops_reading_is_dropped(manager: Manager, faults: Faults) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(manager.path))
        sock.settimeout(15)
        request = call("org.varlink.service.GetInterfaceDescription", interface=SERVICE)
        served = 0
        with pytest.raises(BrokenPipeError):  # noqa: PT012 (the loop is the subject)
            while True:
                sock.sendall(request * 100)
                faults.effect("others")
                served += 1
        assert manager.ran() == ["others"] * served
    assert "the peer does not read its answers" in manager.log.read_text()


def test_a_silent_connection_is_closed(manager: Manager, supervdsm: Supervdsm) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(manager.path))
        sock.settimeout(HELLO_DEADLINE + 5)
        assert errors(sock.recv(65536)) == ["BadMessage"]


def test_hundreds_of_idle_connections(manager: Manager, faults: Faults) -> None:
    faults.effect("first")  # makes its connection
    idle = []
    try:
        for _ in range(400):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(manager.path))
            sock.settimeout(20)
            idle.append(sock)
        refused = [
            sock for sock in idle[CONNECTIONS_PER_UID - 1 :] if b"TooMany" in sock.recv(4096)
        ]
        assert len(refused) == 401 - CONNECTIONS_PER_UID
        faults.effect("served")  # on the connection that it had
    finally:
        for sock in idle:
            sock.close()
    manager.wait(lambda: open_connections(manager) < CONNECTIONS_PER_UID)


def open_connections(manager: Manager) -> int:
    """Ask a server that may not have seen yet that others closed theirs."""
    try:
        return Supervdsm(manager.path).service.health().connections
    except TooManyConnections:
        return CONNECTIONS_PER_UID


def test_log_lines_cannot_be_forged(manager: Manager, faults: Faults) -> None:
    faults.effect("x\nERROR forged é")
    lines = manager.log.read_text().splitlines()
    assert not [line for line in lines if line.startswith("ERROR forged")]


def test_an_answer_of_a_method_nobody_has(manager: Manager, supervdsm: Supervdsm) -> None:
    class Future(Faults, name="org.ovirt.supervdsm.future"):
        pass

    Future.VERBS = Faults.VERBS
    verb = Faults.VERBS["effect"]
    fake = type(verb)(**{**verb.__dict__, "interface": "org.ovirt.supervdsm.future"})
    Future.VERBS = {"effect": fake}
    with pytest.raises(ProtocolError, match="InterfaceNotFound"):
        supervdsm.bind(Future).effect("x")
