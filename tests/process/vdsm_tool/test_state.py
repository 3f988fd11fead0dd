# SPDX-License-Identifier: GPL-2.0-or-later
"""What `status` asks, asked of the real daemons and of podman's real API."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from process.conftest import Manager
from process.vdsm_tool.conftest import ROOT
from vdsm_contract.proxy import Supervdsm
from vdsm_tool.finding import Level
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import supervdsm as supervdsm_state
from vdsm_tool.state import vdsm as vdsm_state
from vdsm_tool.state.containers import read_containers


def test_supervdsm_tells_its_health(supervdsm: Supervdsm, manager: Manager) -> None:
    supervdsm.service.ping()
    report, finding = supervdsm_state.ask(manager.path)
    assert finding.level is Level.OK
    assert report is not None
    assert report.pid == manager.pid


def test_a_dead_supervdsm_is_a_failure(manager: Manager) -> None:
    # Its socket is there, as systemd's always is, but nobody serves it.
    _, finding = supervdsm_state.ask(manager.path)
    assert finding.level is Level.FAIL
    assert "journalctl" in finding.way_out


@contextmanager
def running_vdsm(directory: Path, pki: PkiFiles, *, tls: bool) -> Iterator[int]:
    """Run vdsm on a socket that we hold, as systemd does; yield its port."""
    directory.mkdir(exist_ok=True)
    (directory / "vdsm.conf").write_text(f"[vars]\nssl = {'true' if tls else 'false'}\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        options = ["--config-dir", str(directory), "--pki-dir", str(pki.directory)]
        code = (
            f"import os, sys; os.dup2({listening.fileno()}, 3); "
            "os.execv(sys.executable, [sys.executable, '-m', 'vdsm', *sys.argv[1:]])"
        )
        with (directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    code,
                    *options,
                    "--svdsm-socket",
                    str(directory / "svdsm.sock"),
                ],
                env={
                    "PYTHONPATH": str(ROOT / "src"),
                    "PATH": os.environ["PATH"],
                    "LISTEN_FDS": "1",
                },
                pass_fds=(listening.fileno(), 3),
                stdout=log,
                stderr=log,
            )
        try:
            yield listening.getsockname()[1]
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize(("tls", "version"), [(True, "TLSv1.3"), (False, "")])
def test_vdsm_answers_a_ping(tmp_path: Path, pki: PkiFiles, tls: bool, version: str) -> None:
    with running_vdsm(tmp_path / "etc", pki, tls=tls) as port:
        answer, finding = vdsm_state.ask(files=pki, tls=tls, port=port)
        log = (tmp_path / "etc/log").read_text()
    assert finding.level is Level.OK, f"{finding}\n{log}"
    assert answer is not None
    assert answer.tls == version


def test_nobody_on_the_port_is_a_failure_with_its_way_out(pki: PkiFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _, finding = vdsm_state.ask(files=pki, tls=True, port=port)
    assert finding.level is Level.FAIL
    assert "vdsm.socket" in finding.way_out


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    _, finding = vdsm_state.ask(files=PkiFiles(tmp_path), tls=True, port=1)
    assert finding.level is Level.FAIL
    assert str(tmp_path / "certs/cacert.pem") in finding.detail
    assert "pki init" in finding.way_out


def test_a_server_with_a_foreign_certificate_is_refused(
    pki: PkiFiles, tmp_path: Path, tool: "object"
) -> None:
    assert callable(tool)
    tool("pki", "init", "--dir", tmp_path / "other")
    other = PkiFiles(tmp_path / "other")
    with running_vdsm(tmp_path / "etc", other, tls=True) as port:
        _, finding = vdsm_state.ask(files=pki, tls=True, port=port)
    assert finding.level is Level.FAIL
    assert ssl.SSLCertVerificationError.__name__ not in finding.detail
    assert "must be signed by" in finding.way_out


@pytest.fixture
def podman_socket() -> Iterator[Path]:
    """podman's API on storage of its own, with one container that looks like vdsm's."""
    if os.geteuid() != 0 or shutil.which("podman") is None:
        pytest.skip("needs root and podman")
    # podman's run root may not be longer than 50 characters, so pytest's tmp_path is too long.
    with (
        tempfile.TemporaryDirectory(prefix="vdsm-tool-") as name,
        serving_podman(Path(name)) as path,
    ):
        yield path


@contextmanager
def serving_podman(tmp_path: Path) -> Iterator[Path]:
    """Serve podman's API on a socket in `tmp_path`."""
    rootfs = tmp_path / "rootfs"
    rootfs.mkdir()
    store = [f"--root={tmp_path}/root", f"--runroot={tmp_path}/run", "--storage-driver=vfs"]
    labels = ["--label=org.ovirt.vdsm.contract=7", "--label=org.opencontainers.image.version=1.2"]
    create = [
        "podman",
        *store,
        "create",
        "--name",
        "vdsm",
        *labels,
        "--rootfs",
        str(rootfs),
        "true",
    ]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
    path = tmp_path / "podman.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        # Socket activation: whoever connects waits in the socket until podman serves it.
        code = (
            f"import os, sys; os.dup2({listening.fileno()}, 3); "
            "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}; "
            "os.execvp(sys.argv[1], sys.argv[1:])"
        )
        serve = ["podman", *store, "system", "service", "--time", "0"]
        process = subprocess.Popen(
            [sys.executable, "-c", code, *serve], pass_fds=(listening.fileno(), 3)
        )
        try:
            yield path
        finally:
            process.terminate()
            process.wait(30)


def test_containers_and_their_labels_are_read_from_podman(podman_socket: Path) -> None:
    (state,) = read_containers(podman_socket)
    assert (state.name, state.status) == ("vdsm", "created")
    assert (state.version, state.contract) == ("1.2", "7")
