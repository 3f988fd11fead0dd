# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire: any split of any messages arrives whole; what is too large, cut or late does not."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm_contract import limits, wire
from vdsm_contract.wire import Channel, MessageTooLarge, MessageTooSlow, StreamClosed


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


MESSAGES = st.lists(
    st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"\1")), max_size=8
)


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 2500), max_size=10))
def test_messages_arrive_whole_however_they_are_split(
    messages: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(message + b"\0" for message in messages)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(ours)
        edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})

        def feed() -> None:
            for start, end in itertools.pairwise(edges):
                theirs.sendall(stream[start:end])
            theirs.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=feed)
        thread.start()
        assert [channel.receive(5) for _ in messages] == messages
        with pytest.raises(StreamClosed) as closed:
            channel.receive(5)
        assert not closed.value.partial
        thread.join()


def test_an_end_inside_a_message_is_told(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    peer.sendall(b"half")
    peer.close()
    with pytest.raises(StreamClosed) as closed:
        channel.receive()
    assert closed.value.partial


def test_nothing_in_time(pair: tuple[Channel, socket.socket]) -> None:
    with pytest.raises(TimeoutError):
        pair[0].receive(0.01)


def test_a_message_that_began_must_end(
    pair: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MESSAGE_DEADLINE", 0.1)
    channel, peer = pair
    peer.sendall(b"half")
    with pytest.raises(MessageTooSlow):
        channel.receive()


@pytest.mark.parametrize("nul", [b"", b"\0"])
def test_a_message_is_bounded(
    pair: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch, nul: bytes
) -> None:
    monkeypatch.setattr(wire, "MAX_MESSAGE", 100_000)
    channel, peer = pair
    peer.sendall(b"x" * 100_001 + nul)
    with pytest.raises(MessageTooLarge):
        channel.receive(1)


def test_a_peer_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MESSAGE_DEADLINE", 1)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(MessageTooSlow):
        Channel(ours).send(b"x" * limits.MAX_MESSAGE)


def test_a_message_must_be_read_in_time_and_not_only_in_part(
    pair: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MESSAGE_DEADLINE", 1)
    channel, peer = pair
    over = threading.Event()

    def sip() -> None:
        while not over.wait(0.2):
            peer.recv(32 * 1024)

    reader = threading.Thread(target=sip)
    reader.start()
    started = time.monotonic()
    try:
        with pytest.raises(MessageTooSlow):
            channel.send(b"x" * limits.MAX_MESSAGE)
    finally:
        took = time.monotonic() - started
        over.set()
        reader.join()
    assert took < 2


def test_send_now_never_waits(pair: tuple[Channel, socket.socket]) -> None:
    channel, _peer = pair
    assert channel.send_now(b"x\0")
    assert not channel.send_now(b"x" * limits.MAX_MESSAGE)
