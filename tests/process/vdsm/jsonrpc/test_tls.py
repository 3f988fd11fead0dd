# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may connect: with the engine's CA, and nobody else; and stomp.py from PyPI over TLS."""

import json
import queue
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import stomp

from front import pki
from front.manager import Manager
from front.wire import REPLIES, REQUESTS, Wire
from vdsm.jsonrpc.limits import MIB
from vdsm.jsonrpc.tls import Identity, client_context


def test_a_certificate_of_the_ca_gets_in(tls_front: Manager, identity: Identity) -> None:
    with Wire(tls_front.port, client_context(identity, check_name=True)) as wire:
        assert wire.ready().call("Host.ping2")["result"] is True
        answer = wire.call("Host.echo", {"message": "x" * 1_000_000})
        assert len(answer["result"]) == 1_000_000


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("case", ["no certificate", "foreign certificate", "plain text", "TLS 1.1"])
def test_others_do_not_get_in_and_do_not_harm(
    tls_front: Manager, identity: Identity, tmp_path: Path, case: str
) -> None:
    foreign = pki.make(tmp_path / "foreign", "Foreign CA")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(identity.ca)
    if case == "foreign certificate":
        context.load_cert_chain(foreign.certificate, foreign.key)
    if case == "TLS 1.1":
        context.load_cert_chain(identity.certificate, identity.key)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((OSError, EOFError)):  # TLS 1.3 tells only after the handshake
        _connect(tls_front.port, None if case == "plain text" else context)
    tls_front.wait_for_log("TLS handshake with 127.0.0.1")
    with Wire(tls_front.port, client_context(identity, check_name=True)) as wire:
        assert wire.ready().call("Host.ping2")["result"] is True


def test_a_peer_that_never_shakes_hands_is_dropped(tmp_path: Path, identity: Identity) -> None:
    with Manager(tmp_path, identity.key.parents[1]) as front:
        front.limits = {"handshake_s": 0.3}
        front.start()
        with Wire(front.port) as wire:
            assert wire.ends()


def test_unfinished_handshakes_of_one_peer_are_limited(tls_front: Manager) -> None:
    silent = [socket.create_connection(("127.0.0.1", tls_front.port)) for _ in range(40)]
    try:
        tls_front.wait_for_log("have not finished their TLS handshake")
    finally:
        for sock in silent:
            sock.close()


def test_silent_peers_do_not_take_the_places_of_connections(
    tmp_path: Path, identity: Identity
) -> None:
    """Who has no certificate may come from many addresses; the engine still gets in."""
    with Manager(tmp_path, identity.key.parents[1]) as front:
        front.limits = {"connections": 20, "handshakes_per_peer": 1000}
        front.start()
        context = client_context(identity, check_name=True)
        with _silent(front.port, 60), Wire(front.port, context) as wire:
            assert wire.ready().call("Host.ping2")["result"] is True


def test_the_oldest_of_too_many_handshakes_gives_way(tmp_path: Path, identity: Identity) -> None:
    with Manager(tmp_path, identity.key.parents[1]) as front:
        front.limits = {"handshakes": 20, "handshakes_per_peer": 1000}
        front.start()
        with _silent(front.port, 60):
            front.wait_for_log("has not finished its TLS handshake, and others wait")
            with Wire(front.port, client_context(identity, check_name=True)) as wire:
                assert wire.ready().call("Host.ping2")["result"] is True


def test_connections_are_limited_also_when_their_handshakes_are_not(
    tmp_path: Path, identity: Identity
) -> None:
    context = client_context(identity, check_name=True)
    with Manager(tmp_path, identity.key.parents[1]) as front:
        front.limits = {"connections": 3}
        front.start()
        raw = [socket.create_connection(("127.0.0.1", front.port), 10) for _ in range(6)]
        served = 0
        wrapped = []
        for sock in raw:
            try:
                tls = context.wrap_socket(sock, server_hostname="127.0.0.1")
                wrapped.append(tls)
                tls.sendall(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0")
                served += bool(tls.recv(10))
            except OSError:
                continue
        for tls in wrapped:
            tls.close()
        assert served == 3
        front.wait_for_log("3 connections are open")


def test_renewed_certificates_are_taken_without_a_restart(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    old = pki.make(directory)
    old_context = client_context(old, check_name=True)
    with Manager(tmp_path, directory) as front:
        front.start()
        with Wire(front.port, old_context) as before:
            before.ready()
            new = pki.make(directory, "New CA")
            assert front.process is not None
            front.process.send_signal(signal.SIGHUP)
            front.wait_for_log("are reloaded")
            renewed = client_context(new, check_name=True)
            with Wire(front.port, renewed) as after:
                assert after.ready().call("Host.ping2")["result"] is True
            assert before.call("Host.ping2")["result"] is True
            new.certificate.write_text("rubbish")
            front.process.send_signal(signal.SIGHUP)
            front.wait_for_log("are not reloaded")
            with Wire(front.port, renewed) as still:
                assert still.ready().call("Host.ping2")["result"] is True


def test_a_client_that_stops_reading_is_dropped_over_tls_too(
    tmp_path: Path, identity: Identity
) -> None:
    context = client_context(identity, check_name=True)
    with Manager(tmp_path, identity.key.parents[1]) as front:
        front.limits = {"write_buffer_bytes": 4 * MIB}
        front.start()
        with Wire(front.port, context, 4096) as deaf, Wire(front.port, context) as other:
            other.ready()
            deaf.ready()
            for n in range(60):
                deaf.request({"jsonrpc": "2.0", "method": "Host.getCapabilities", "id": n})
            front.wait_for_log("does not read")
            assert other.call("Host.ping2")["result"] is True


def test_sigterm_answers_calls_in_flight_over_tls_too(
    tls_front: Manager, identity: Identity
) -> None:
    with Wire(tls_front.port, client_context(identity, check_name=True)) as wire:
        waiting = {"jsonrpc": "2.0", "method": "Host.getStats", "id": 1}
        wire.ready().request(waiting, receipt="r")
        wire.recv("RECEIPT")
        assert tls_front.process is not None
        tls_front.process.send_signal(signal.SIGTERM)
        tls_front.expect("STOPPING=1")
        tls_front.open_gate()
        assert wire.answer()["result"] == {"ended": True}
        assert wire.ends()
        assert tls_front.process.wait(10) == 0


@contextmanager
def _silent(port: int, count: int) -> Iterator[None]:
    """Connections that say nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield


def _connect(port: int, context: ssl.SSLContext | None) -> None:
    with Wire(port, context) as wire:
        wire.connect()


class _Listener(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.answers: queue.Queue[object] = queue.Queue()

    def on_message(self, frame: stomp.utils.Frame) -> None:
        self.answers.put(json.loads(frame.body))


def test_stomp_py_from_pypi_calls_vdsm_over_tls(tls_front: Manager, identity: Identity) -> None:
    where = [("127.0.0.1", tls_front.port)]
    connection = stomp.Connection12(where, heartbeats=(2000, 2000))
    connection.set_ssl(
        where,
        key_file=str(identity.key),
        cert_file=str(identity.certificate),
        ca_certs=str(identity.ca),
    )
    listener = _Listener()
    connection.set_listener("answers", listener)
    connection.connect(wait=True)
    connection.subscribe(REPLIES, id="1")
    body = {"jsonrpc": "2.0", "method": "Host.echo", "params": {"message": "hi"}, "id": "a"}
    connection.send(REQUESTS, json.dumps(body), headers={"reply-to": REPLIES})
    try:
        answer = listener.answers.get(timeout=10)
    finally:
        connection.disconnect()
    assert answer == {"jsonrpc": "2.0", "id": "a", "result": "hi"}
