# SPDX-License-Identifier: GPL-2.0-or-later
"""The ports of metrics of both daemons, as systemd passes them, read by friends and by others."""

import errno
import http.client
import os
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from faults.interface import Faults
from vdsm.client import CallError, Client, plain
from vdsm_contract.errors import KernelSettingFailed
from vdsm_contract.limits import CONNECTIONS_PER_UID
from vdsm_contract.metrics import MetricsServer
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.version import CONTRACT_VERSION, RELEASE

ROOT = Path(__file__).parents[2]
_START = """
import os, sys
for number, fd in enumerate(sys.argv[1].split(","), 3): os.dup2(int(fd), number)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[2:]])
"""


_STRANGER = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
sock.connect(sys.argv[1])
assert b"PeerRefused" in sock.recv(4096)
"""


@contextmanager
def daemon(
    directory: Path, listening: list[socket.socket], names: str, words: list[str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `python -m WORDS` with sockets that have names, as systemd does; wait for READY=1."""
    with ExitStack() as stack:
        notify = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notify.bind(str(directory / f"notify-{words[0]}"))
        notify.settimeout(30)
        # Above those that they become, so that none is overwritten before it is copied.
        high = [os.dup(sock.fileno()) for sock in listening]
        log = stack.enter_context((directory / f"log-{words[0]}").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-c", _START, ",".join(map(str, high)), *words],
            pass_fds=high,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
                "NOTIFY_SOCKET": str(directory / f"notify-{words[0]}"),
                "LISTEN_FDS": str(len(high)),
                "LISTEN_FDNAMES": names,
                "FAULTS_EFFECTS": str(directory / "effects"),
                "FAULTS_STATE": str(directory / "state"),
            },
            stdout=log,
            stderr=log,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        for fd in high:
            os.close(fd)
        while b"READY=1" not in notify.recv(4096):
            pass
        yield process


@dataclass
class Pair:
    """Both daemons; `ports` are those of the metrics, `door` is supervdsm's socket."""

    supervdsm: Supervdsm
    client: Client
    ports: dict[str, int]
    door: Path
    processes: dict[str, "subprocess.Popen[bytes]"]

    def metrics(self, side: str) -> dict[str, float]:
        """Return the samples as {"name{label=value,...}": value}."""
        return samples(self.ports[side])


def get(port: int, path: str = "/metrics", **headers: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def samples(port: int) -> dict[str, float]:
    status, kind, body = get(port)
    assert status == 200
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The real vdsm, and supervdsm with a few faulty verbs more."""
    directory = tmp_path_factory.mktemp("pair")
    (directory / "vdsm.conf").write_text("[vars]\nssl = false\n")
    path = directory / "svdsm.sock"
    with ExitStack() as stack:
        door = stack.enter_context(socket.socket(socket.AF_UNIX))
        door.bind(str(path))
        door.listen(128)
        listening = {
            name: stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for name in ("api", "vdsm", "supervdsm")
        }
        ports = {name: sock.getsockname()[1] for name, sock in listening.items()}
        sockets = [listening["supervdsm"], door]
        root = stack.enter_context(
            daemon(directory, sockets, "metrics:supervdsm.socket", ["faults.daemon"])
        )
        words = ["vdsm", "--config-dir", str(directory), "--svdsm-socket", str(path)]
        sockets = [listening["vdsm"], listening["api"]]
        front = stack.enter_context(daemon(directory, sockets, "metrics:vdsm.socket", words))
        proxy = Supervdsm(path)
        stack.callback(proxy.close)
        client = stack.enter_context(Client(plain("127.0.0.1", ports["api"])))
        yield Pair(proxy, client, ports, path, {"vdsm": front, "supervdsm": root})


def test_supervdsm_counts_calls_by_verb_and_outcome(pair: Pair) -> None:
    faults = pair.supervdsm.bind(Faults)
    before = pair.metrics("supervdsm")
    pair.supervdsm.service.ping()
    with pytest.raises(KernelSettingFailed):
        faults.raise_declared("counted")
    after = pair.metrics("supervdsm")

    def more(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more("supervdsm_calls_total{outcome=ok,verb=service.Ping}") == 1
    assert more("supervdsm_call_duration_seconds_count{verb=service.Ping}") == 1
    assert more("supervdsm_calls_total{outcome=KernelSettingFailed,verb=faults.RaiseDeclared}") == 1
    assert after["supervdsm_calls_in_flight{}"] == 0
    assert after["supervdsm_connections{}"] >= 1
    assert after["process_resident_memory_bytes{}"] > 1_000_000
    assert 0 < time.time() - after["process_start_time_seconds{}"] < 600


def test_connections_that_are_refused_are_counted_by_the_error(pair: Pair) -> None:
    before = pair.metrics("supervdsm")
    pair.door.parent.chmod(0o755)
    pair.door.chmod(0o666)
    words = ["/usr/bin/python3", "-I", "-c", _STRANGER, pair.door.name]
    subprocess.run(words, cwd=pair.door.parent, user=12345, check=True)
    with ExitStack() as held:
        for number in range(CONNECTIONS_PER_UID + 1):
            sock = held.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(20)
            sock.connect(str(pair.door))
            if number == 0:
                sock.sendall(b"no message\0")
                assert b"BadMessage" in sock.recv(4096)
        assert b"TooManyConnections" in sock.recv(4096)
    after = pair.metrics("supervdsm")
    while after["supervdsm_connections{}"] >= CONNECTIONS_PER_UID / 2:
        after = pair.metrics("supervdsm")  # the other tests want some, too

    def more(error: str) -> float:
        name = f"supervdsm_connections_refused_total{{error={error}}}"
        return after[name] - before.get(name, 0)

    assert (more("PeerRefused"), more("BadMessage")) == (1, 1)
    assert more("TooManyConnections") >= 1


def test_waits_for_locks_are_told_by_the_lock_s_name(pair: Pair) -> None:
    faults = pair.supervdsm.bind(Faults)
    faults.overstay("/some/where", 0.0)
    faults.hold(0.0)
    found = pair.metrics("supervdsm")
    counts = {name for name in found if name.startswith("supervdsm_lock_wait_seconds_count")}
    assert counts == {
        f"supervdsm_lock_wait_seconds_count{{lock={lock}}}" for lock in ("faults", "path")
    }


def test_vdsm_counts_calls_by_verb_and_code(pair: Pair) -> None:
    assert pair.client.call("Host.ping2") is True
    hostile = 'Host."}\n# EOF'
    for method in ("Host.nonsense", hostile, "VM.create"):
        with pytest.raises(CallError):
            pair.client.call(method)
    found = pair.metrics("vdsm")
    assert found["vdsm_calls_total{code=0,verb=Host.ping2}"] >= 1
    assert found["vdsm_calls_total{code=44,verb=VM.create}"] >= 1
    assert found["vdsm_calls_total{code=-32601,verb=other}"] >= 2
    assert not [name for name in found if "nonsense" in name or "EOF" in name]


def test_vdsm_counts_its_calls_to_supervdsm(pair: Pair) -> None:
    with suppress(CallError):  # a machine without DMI
        pair.client.call("Host.getHardwareInfo")
    found = pair.metrics("vdsm")
    names = [name for name in found if name.startswith("vdsm_supervdsm_calls_total")]
    (hardware,) = [name for name in names if "verb=host." in name]
    assert found[hardware] == 1
    assert "outcome=ok" in hardware or "outcome=HardwareUnavailable" in hardware


def test_vdsm_tells_of_queues_tasks_and_clients(pair: Pair) -> None:
    found = pair.metrics("vdsm")
    assert {n for n in found if n.startswith("vdsm_queue_depth")} == {
        f"vdsm_queue_depth{{lane={lane}}}" for lane in ("local", "host", "storage", "network")
    }
    assert found["vdsm_tasks{state=running}"] == 0
    assert found["vdsm_connections{}"] >= 1
    assert found[f"vdsm_info{{contract={CONTRACT_VERSION},release={RELEASE}}}"] == 1


def test_prometheus_of_old_gets_the_older_format(pair: Pair) -> None:
    status, kind, body = get(pair.ports["vdsm"], Accept="text/plain;version=0.0.4")
    assert status == 200
    assert kind.startswith("text/plain; version=0.0.4")
    assert "# EOF" not in body


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n",
        b"GET /metrics?name[]=x HTTP/1.1\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"DELETE /metrics HTTP/1.1\r\n\r\n",
        b"GET http://evil/metrics HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET " + b"A" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\x00" * 100 + b"\r\n",
    ],
    ids=lambda sent: sent[:24].decode("ascii", "replace"),
)
def test_anything_but_get_metrics_is_refused(pair: Pair, sent: bytes) -> None:
    for side in ("vdsm", "supervdsm"):
        with socket.create_connection(("127.0.0.1", pair.ports[side]), timeout=20) as peer:
            peer.sendall(sent)
            answer = b""
            try:
                while part := peer.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass  # it did not read all that was sent
            assert b" 200 " not in answer.split(b"\r\n")[0]
            assert b"vdsm_calls" not in answer
        assert samples(pair.ports[side])


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=x", "a" * 9000, ";;,,=="])
def test_hostile_headers_are_no_defect(pair: Pair, accept: str) -> None:
    assert get(pair.ports["supervdsm"], Accept=accept)[0] == 200


def test_the_server_makes_no_socket_for_it_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:

        def refuse(*_args: object, **_kwargs: object) -> None:
            raise OSError(errno.EAFNOSUPPORT, "seccomp")

        monkeypatch.setattr(socketserver.socket, "socket", refuse)
        MetricsServer([sock], CollectorRegistry())


def test_slow_readers_hold_up_neither_calls_nor_each_other_for_long(tmp_path: Path) -> None:
    with ExitStack() as stack:
        sock = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = sock.getsockname()[1]
        MetricsServer([sock], CollectorRegistry(), connections=2, deadline=0.5).start()
        for _ in range(4):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"GET /met")
        status, _, _ = get(port)
        assert status == 200
        # Those that were slow were sent away, without an answer.
        slow.settimeout(20)
        assert slow.recv(1) == b""


def test_a_flood_of_slow_readers_does_not_reach_the_api(pair: Pair) -> None:
    with ExitStack() as stack:
        for side in ("vdsm", "supervdsm"):
            for _ in range(20):
                port = pair.ports[side]
                slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                slow.sendall(b"GET /")
        assert pair.client.call("Host.ping2") is True
        pair.supervdsm.service.ping()
        for side, process in pair.processes.items():
            threads = len(list(Path(f"/proc/{process.pid}/task").iterdir()))
            assert threads < 100, side


@pytest.mark.parametrize("module", ["vdsm.main", "supervdsm.main"])
def test_without_a_port_the_library_is_not_even_loaded(module: str) -> None:
    code = f"import sys, {module}; sys.exit('prometheus_client' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )
