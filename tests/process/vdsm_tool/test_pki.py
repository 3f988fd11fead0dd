# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool pki` as an operator runs it, and its certificates in a real handshake."""

import json
import socket
import ssl
import threading
from pathlib import Path

import pytest

from process.vdsm_tool.conftest import Tool
from vdsm_tool.pki.files import PkiFiles


def handshake(pki: PkiFiles, server_name: str) -> str:
    """Connect a client to a server, both with the same files; return the version of TLS."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki.ca_certificate)
    client = ssl.create_default_context(cafile=pki.ca_certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (server, client):
        context.load_cert_chain(pki.certificate, pki.key)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(theirs, server_side=True) as stream:
            stream.sendall(stream.recv(1))

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(ours, server_hostname=server_name) as stream:
        stream.sendall(b"x")
        assert stream.recv(1) == b"x"
        version = stream.version()
    thread.join()
    return version or ""


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", socket.gethostname()])
def test_one_certificate_serves_both_ends_of_mutual_tls(pki: PkiFiles, name: str) -> None:
    assert handshake(pki, name) == "TLSv1.3"


def test_given_names_come_first(tool: Tool, tmp_path: Path) -> None:
    done = tool("pki", "init", "--dir", tmp_path, "--host", "node1.example.com", "--json")
    assert json.loads(done.stdout)["names"][0] == "node1.example.com"
    assert handshake(PkiFiles(tmp_path), "node1.example.com")


def test_existing_certificates_are_not_replaced(tool: Tool, pki: PkiFiles) -> None:
    before = pki.certificate.read_bytes()
    done = tool("pki", "init", "--dir", pki.directory)
    assert done.returncode == 1
    assert str(pki.certificate) in done.stderr
    assert "--force" in done.stderr
    assert pki.certificate.read_bytes() == before


def test_force_replaces_and_keeps_the_old_ones(tool: Tool, tmp_path: Path) -> None:
    tool("pki", "init", "--dir", tmp_path)
    before = PkiFiles(tmp_path).ca_certificate.read_bytes()
    done = tool("pki", "init", "--dir", tmp_path, "--force")
    assert done.returncode == 0
    assert PkiFiles(tmp_path).ca_certificate.read_bytes() != before
    assert (tmp_path / "certs/cacert.pem.old").read_bytes() == before


def test_renew_keeps_the_authority(tool: Tool, tmp_path: Path) -> None:
    files = PkiFiles(tmp_path)
    tool("pki", "init", "--dir", tmp_path)
    before = files.ca_certificate.read_bytes(), files.certificate.read_bytes()
    done = tool("pki", "renew", "--dir", tmp_path)
    assert done.returncode == 0
    assert files.ca_certificate.read_bytes() == before[0]
    assert files.certificate.read_bytes() != before[1]
    assert handshake(files, "localhost")


def test_renew_keeps_the_names_that_were_asked_for(tool: Tool, tmp_path: Path) -> None:
    files = PkiFiles(tmp_path)
    tool("pki", "init", "--dir", tmp_path, "--host", "node1.example.com", "--host", "192.0.2.77")
    assert tool("pki", "renew", "--dir", tmp_path, "--host", "new.example.com").returncode == 0
    for name in ("node1.example.com", "192.0.2.77", "new.example.com", "localhost"):
        assert handshake(files, name)
    files.certificate.write_text("rubbish")
    assert tool("pki", "renew", "--dir", tmp_path).returncode == 0
    assert handshake(files, "localhost")


def test_renew_without_an_authority_says_what_to_do(tool: Tool, tmp_path: Path) -> None:
    done = tool("pki", "renew", "--dir", tmp_path)
    assert done.returncode == 1
    assert "pki init" in done.stderr


def test_a_wrong_name_is_refused_and_nothing_written(tool: Tool, tmp_path: Path) -> None:
    done = tool("pki", "init", "--dir", tmp_path / "pki", "--host", "node1:54321")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "pki").exists()
