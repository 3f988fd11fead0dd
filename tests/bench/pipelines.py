# SPDX-License-Identifier: GPL-2.0-or-later
"""Many calls in a short time: requests are sent ahead of their answers, and each answer is read."""

import json
import socket
import ssl
import time
from typing import Final

from vdsm_contract.interfaces import Service
from vdsm_contract.paths import MANAGEMENT_PORT, PKI_DIR, SUPERVDSM_SOCKET
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_contract.wire import OutgoingRequest, encode

AHEAD: Final = 50
"""Requests without an answer. vdsm takes 64 of one connection."""
_TIMEOUT_S: Final = 30.0


def supervdsm(count: int) -> float:
    """Make `count` calls of Ping on one connection; return calls a second."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_TIMEOUT_S)
        sock.connect(str(SUPERVDSM_SOCKET))
        hello, ping = Service.VERBS["hello"], Service.VERBS["ping"]
        greeting = OutgoingRequest(hello.method, hello.parameters(contract=CONTRACT_VERSION))
        _expect(sock, encode(greeting), 1, b'"error"')
        request = encode(OutgoingRequest(ping.method, ping.parameters()))
        return _pipeline(sock, request, count, b'"error"')


def vdsm(
    count: int, *, port: int = MANAGEMENT_PORT, context: ssl.SSLContext | None = None
) -> float:
    """Make `count` calls of Host.echo on one connection through TLS; return calls a second."""
    plain = socket.create_connection(("localhost", port), timeout=_TIMEOUT_S)
    with (context or _context()).wrap_socket(plain) as sock:
        call = {"jsonrpc": "2.0", "id": 1, "method": "Host.echo", "params": {"message": "x"}}
        connect = b"CONNECT\naccept-version:1.2\nhost:localhost\nheart-beat:0,0\n\n\0"
        subscribe = b"SUBSCRIBE\nid:1\ndestination:r\nack:auto\n\n\0"
        send = b"SEND\ndestination:jms.topic.vdsm_requests\nreply-to:r\n\n%s\0"
        _expect(sock, connect, 1, b"ERROR")
        sock.sendall(subscribe)
        return _pipeline(sock, send % json.dumps(call).encode(), count, b'"error"')


def _context() -> ssl.SSLContext:
    """This host's own certificate, shown to itself."""
    context = ssl.create_default_context(cafile=PKI_DIR / "certs/cacert.pem")
    context.check_hostname = False
    context.load_cert_chain(PKI_DIR / "certs/vdsmcert.pem", PKI_DIR / "keys/vdsmkey.pem")
    return context


def _pipeline(sock: socket.socket, request: bytes, count: int, refusal: bytes) -> float:
    begin = time.monotonic()
    for _ in range(count // AHEAD):
        _expect(sock, request * AHEAD, AHEAD, refusal)
    return count / (time.monotonic() - begin)


def _expect(sock: socket.socket, requests: bytes, answers: int, refusal: bytes) -> None:
    """Send, and read that many answers, each ended by a NUL. None may be a refusal."""
    sock.sendall(requests)
    received = b""
    while received.count(b"\0") < answers:
        data = sock.recv(65536)
        if not data:
            raise SystemExit(f"the connection ended after {received[-200:]!r}")
        received += data
    if refusal in received or received.count(b"\0") > answers:
        raise SystemExit(f"not the answers to {answers} requests: {received[:500]!r}")
