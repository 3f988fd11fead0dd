# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller's end against servers that refuse it, or that are none."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vdsm_contract import wire
from vdsm_contract.errors import PeerRefused, ProtocolError
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.wire import OutgoingError, encode

REFUSAL = encode(OutgoingError(PeerRefused.name, PeerRefused(reason="it is not vdsm")))


@contextmanager
def served(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[Supervdsm]:
    """A proxy to a server that does `serve` with each connection and closes it."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def accept() -> None:
            while True:
                try:
                    sock, _address = listening.accept()
                except OSError:  # the test is over
                    return
                with sock:
                    serve(sock)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield Supervdsm(path)
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_refusal_that_comes_before_hello_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = threading.Semaphore(0)

    def refuse(sock: socket.socket) -> None:
        sock.sendall(REFUSAL)
        sock.close()
        refused.release()

    send = wire.Channel.send

    def send_late(channel: wire.Channel, data: bytes) -> None:
        assert refused.acquire(timeout=5)
        send(channel, data)

    monkeypatch.setattr(wire.Channel, "send", send_late)
    with served(tmp_path / "sock", refuse) as proxy, pytest.raises(PeerRefused):
        proxy.service.ping()


def test_an_endless_answer_to_hello_breaks_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MAX_MESSAGE", 1000)
    with (
        served(tmp_path / "sock", lambda sock: sock.sendall(b"x" * 2000)) as proxy,
        pytest.raises(ProtocolError, match="larger"),
    ):
        proxy.service.ping()
