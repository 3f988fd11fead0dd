# SPDX-License-Identifier: GPL-2.0-or-later
"""The `vdsm` command with its real verbs: starts without supervdsm, refuses a wrong start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from front import pki
from front.manager import ROOT, Manager
from front.wire import Wire
from vdsm.client import CallError, Client, mutual_tls, plain
from vdsm.jsonrpc.schema import load

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}


def test_vdsm_starts_and_answers_with_no_supervdsm(tmp_path: Path) -> None:
    identity = pki.make(tmp_path / "pki")
    options = {
        "--config-dir": tmp_path / "etc",
        "--pki-dir": tmp_path / "pki",
        "--svdsm-socket": tmp_path / "nothing.sock",
    }
    words = [str(word) for option in options.items() for word in option]
    with Manager(tmp_path) as manager:
        manager.start_module("vdsm", *words)
        endpoint = mutual_tls("127.0.0.1", manager.port, identity=identity)
        with Client(endpoint) as client:
            assert client.call("Host.ping2") is True
            assert client.call("Host.echo", message="hi") == "hi"
            for method in ("VM.create", "StorageDomain.extend"):
                with pytest.raises(CallError) as caught:
                    client.call(method)
                assert caught.value.code == 44
            with pytest.raises(CallError) as caught:
                client.call("Host.nonsense")
            assert caught.value.code == -32601
        assert manager.terminate() == 0


def test_no_verb_of_the_api_is_unknown(tmp_path: Path) -> None:
    identity = pki.make(tmp_path / "pki")
    with Manager(tmp_path, tmp_path / "pki") as manager:
        manager.start()
        endpoint = mutual_tls("127.0.0.1", manager.port, identity=identity)
        codes: dict[str, int] = {}
        with Client(endpoint) as client:
            # Host.getStats waits for its test, in the tests' own front.
            for method in load().verbs.keys() - {"Host.getStats"}:
                try:
                    client.call(method)
                except CallError as error:
                    codes[method] = error.code
    assert len(codes) > 190
    assert set(codes.values()) == {44, -32602}


def test_what_needs_no_supervdsm_is_answered_while_it_hangs(tmp_path: Path) -> None:
    (tmp_path / "vdsm.conf").write_text("[vars]\nssl = false\n")
    svdsm = tmp_path / "svdsm.sock"
    with socket.socket(socket.AF_UNIX) as hung, Manager(tmp_path) as manager:
        hung.bind(str(svdsm))
        hung.listen(1000)  # connections are made, and nobody ever answers
        manager.start_module("vdsm", "--config-dir", str(tmp_path), "--svdsm-socket", str(svdsm))
        with Wire(manager.port) as waiting, Client(plain("127.0.0.1", manager.port)) as engine:
            waiting.ready()
            for method in ("Host.getStats", "Host.getCapabilities", "Host.getHardwareInfo"):
                for n in range(30):
                    waiting.request({"jsonrpc": "2.0", "method": method, "id": n})
            for _ in range(90 - 64):
                assert waiting.answer()["error"]["code"] == 1100  # the other 64 hang
            for method in ("ping", "ping2", "confirmConnectivity"):
                assert engine.call(f"Host.{method}", timeout=5) is True
            for method in ("getVMList", "getVMFullList", "getAllVmStats"):
                assert engine.call(f"Host.{method}", timeout=5) == []
            assert engine.call("Host.getJobs", timeout=5) == {}
            assert engine.call("Host.echo", message="here", timeout=5) == "here"


@pytest.mark.parametrize(
    ("config", "words", "complaint"),
    [
        ("[vars]\nsls = false\n", [], "vdsm.conf, line 2: there is no setting [vars] sls"),
        ("", [], "vdsmkey.pem cannot be read"),
        ("[vars]\nssl = false\n", ["--bind", "192.0.2.1:1"], "Cannot assign"),
        ("[vars]\nssl = false\n", ["--bind", "a..b:1"], "is no host name"),
    ],
)
def test_a_start_that_cannot_work_ends_with_one_sentence(
    tmp_path: Path, config: str, words: list[str], complaint: str
) -> None:
    (tmp_path / "vdsm.conf").write_text(config)
    directories = ["--config-dir", str(tmp_path), "--pki-dir", str(tmp_path / "pki")]
    words = words or ["--bind", "127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-m", "vdsm", *directories, *words],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_none_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vdsm", "--bind", "127.0.0.1:99999"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "is not HOST:PORT" in done.stderr


def test_without_tls_only_the_loopback_is_served(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "front.foreign", str(tmp_path)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == ["192.0.2.1 closed", "127.0.0.1 served"]
