# SPDX-License-Identifier: GPL-2.0-or-later
"""The vdsm-client command and the Client class against the real front."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from front import pki
from front.manager import ROOT, Manager
from vdsm.client import CallError, Client, ConnectError, mutual_tls, plain
from vdsm.jsonrpc.tls import Identity


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return pki.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, identity: Identity) -> Iterator[Manager]:
    with Manager(tmp_path_factory.mktemp("front"), identity.key.parents[1]) as manager:
        yield manager.start()


@pytest.fixture
def plain_front(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path) as manager:
        yield manager.start()


def run(*words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "vdsm.client.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "src")},
        timeout=60,
        check=False,
    )


def with_tls(front: Manager, identity: Identity, *words: str) -> list[str]:
    files = ["--ca", identity.ca, "--cert", identity.certificate, "--key", identity.key]
    return ["-p", str(front.port), *map(str, files), *words]


def test_a_call_over_tls_prints_its_result_as_json(front: Manager, identity: Identity) -> None:
    words = ["--flow-id", "f1", "Host", "getHardwareInfo"]
    done = run(*with_tls(front, identity, "--host", "127.0.0.1", *words))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["flow"] == "f1"


def test_parameters_come_from_words_files_and_stdin(front: Manager, identity: Identity) -> None:
    assert run(*with_tls(front, identity, "Host", "echo", "message=hi")).stdout == '"hi"\n'
    call = with_tls(front, identity, "-f", "-", "Host", "echo")
    assert run(*call, stdin='{"message": "file"}').stdout == '"file"\n'
    assert run(*call, "message=word", stdin='{"message": "file"}').stdout == '"word"\n'


def test_an_error_names_the_command_its_arguments_and_the_code(
    front: Manager, identity: Identity
) -> None:
    done = run(*with_tls(front, identity, "Host", "setLogLevel", "level=DEBUG"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        'vdsm-client: Command Host.setLogLevel with args {"level":"DEBUG"} failed:',
        "(code=477, message=no such export)",
    ]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--host", "a..b"], 1),
        (["--host", "a" * 70 + ".x"], 1),
        (["-p", "99999"], 2),
        (["-p", "0"], 2),
        (["--timeout", "nan"], 2),
        (["--timeout", "-1"], 2),
        (["--timeout", "inf"], 2),
    ],
)
def test_nonsense_on_the_command_line_gets_a_sentence(words: list[str], status: int) -> None:
    done = run("--no-tls", *words, "Host", "ping2")
    assert done.returncode == status, done.stderr
    assert "vdsm-client: " in done.stderr
    assert "Traceback" not in done.stderr


def test_secrets_are_not_echoed(front: Manager, identity: Identity) -> None:
    secrets = '[{"password":"hunter2"}]'
    done = run(*with_tls(front, identity, "Host", "registerSecrets", f"secrets={secrets}"))
    assert "code=-32602" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_call_that_takes_too_long_ends_with_a_hint(front: Manager, identity: Identity) -> None:
    done = run(*with_tls(front, identity, "--timeout", "0.5", "Host", "getStats"))
    assert done.returncode == 1
    assert "did not answer within 0.5 s" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("nobody listens", "Connection refused"),
        ("plain to TLS", "lost"),
        ("foreign CA", "its certificate is refused"),
        ("no files", "cannot be read"),
        ("wrong name", "its certificate is refused"),
    ],
)
def test_connection_problems_end_in_a_sentence_and_a_hint(
    front: Manager, identity: Identity, tmp_path: Path, case: str, why: str
) -> None:
    foreign = pki.make(tmp_path / "foreign", "Foreign CA")
    words = {
        "nobody listens": with_tls(front, identity, "-p", "1"),
        "plain to TLS": ["-p", str(front.port), "--no-tls"],
        "foreign CA": with_tls(front, foreign),
        "no files": with_tls(front, Identity.below(tmp_path / "nothing")),
        "wrong name": with_tls(front, identity, "--tls-name", "other.test"),
    }[case]
    done = run(*words, "Host", "ping2")
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert why in lines[0]
    assert lines[1].startswith("  hint: ")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        ([], 2, "NAMESPACE"),
        (["-h"], 0, "StoragePool"),
        (["Host", "-h"], 0, "getCapabilities"),
        (["Host", "echo", "-h"], 0, "vdsm-client Host echo message="),
        (["Hots"], 2, "did you mean Host?"),
        (["Host", "getcapabilities"], 2, "did you mean getCapabilities?"),
        (["Host", "echo", "text"], 2, "not key=value"),
        (["-f", "/nonexistent", "Host", "echo"], 2, "cannot be read"),
        (["--version"], 0, "vdsm-client"),
    ],
)
def test_help_and_wrong_words(words: list[str], status: int, shown: str) -> None:
    done = run(*words)
    assert done.returncode == status
    assert shown in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_client_class_calls_raises_and_goes_on(front: Manager, identity: Identity) -> None:
    endpoint = mutual_tls("127.0.0.1", front.port, identity=identity)
    with Client(endpoint, flow_id="flow") as client:
        assert client.call("Host.ping2") is True
        assert client.call("Host.echo", message="hi") == "hi"
        with pytest.raises(CallError) as caught:
            client.call("Host.setLogLevel", level="INFO")
        assert caught.value.code == 100
        assert caught.value.data == {"error": "SupervdsmDied"}
        with pytest.raises(TimeoutError):
            client.call("Host.getStats", timeout=0.3)
        assert client.call("Host.getHardwareInfo")["flow"] == "flow"  # type: ignore[index,call-overload]


def test_a_lost_connection_is_told_and_the_next_call_connects_anew(plain_front: Manager) -> None:
    with Client(plain("127.0.0.1", plain_front.port)) as client:
        assert client.call("Host.ping2") is True
        lost: list[Exception] = []

        def wait() -> None:
            try:
                client.call("Host.getStats")
            except ConnectError as error:
                lost.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        plain_front.wait_for_log("Host.getStats parameters")
        assert plain_front.process is not None
        plain_front.process.kill()
        plain_front.process.wait()
        thread.join(10)
        assert len(lost) == 1
        plain_front.start()
        assert client.call("Host.ping2") is True


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
def test_a_connection_that_vdsm_has_closed_is_not_used_for_the_next_call(
    tmp_path: Path, identity: Identity, secured: bool
) -> None:
    with Manager(tmp_path, identity.key.parents[1] if secured else None) as manager:
        manager.start()
        secure = mutual_tls("127.0.0.1", manager.port, identity=identity)
        with Client(secure if secured else plain("127.0.0.1", manager.port)) as client:
            assert client.call("Host.ping2") is True
            assert client.call("Host.ping2") is True
            manager.terminate()
            manager.start()
            assert client.call("Host.echo", message="hi") == "hi"
