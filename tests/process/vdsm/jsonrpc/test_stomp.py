# SPDX-License-Identifier: GPL-2.0-or-later
"""STOMP over the real server: what a client may say, what it is told, and when it is dropped."""

import socket
import time

import pytest

from front.manager import Manager
from front.wire import REPLIES, REQUESTS, Wire
from vdsm.jsonrpc.limits import MIB

PING = b'{"jsonrpc":"2.0","method":"Host.ping2","id":1}'


def test_connected_tells_version_session_and_heart_beat(front: Manager) -> None:
    with Wire(front.port) as wire:
        frame = wire.connect(accept_version="1.1,1.2", heart_beat="500,60000")
    assert frame.headers["version"] == "1.2"
    assert frame.headers["heart-beat"] == "60000,1000"
    assert frame.headers["session"]
    assert frame.headers["server"].startswith("vdsm/")


def test_the_stomp_command_connects_as_well(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.send(b"STOMP\r\naccept-version:1.2\r\nhost:x\r\n\r\n\0")
        assert wire.recv().command == "CONNECTED"


@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "DISCONNECT"])
def test_every_frame_gets_its_receipt(front: Manager, command: str) -> None:
    headers = {"id": "1", "destination": REPLIES}
    body = b""
    with Wire(front.port) as wire:
        wire.ready()
        if command == "SUBSCRIBE":
            headers["id"] = "2"
        if command == "SEND":
            headers["destination"], body = REQUESTS, b'{"jsonrpc":"2.0","method":"Host.ping2"}'
        wire.frame(command, body, receipt="r:1\n", **headers)
        frame = wire.recv("RECEIPT")
        assert frame.headers["receipt-id"] == "r:1\n"
        assert command != "DISCONNECT" or wire.ends()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"CONNECT\nhost:x\n\n\0", "1.2"),
        (b"CONNECT\naccept-version:1.0,1.1\n\n\0", "1.2"),
        (b"CONNECT\naccept-version:1.2\nheart-beat:soon\n\n\0", "heart-beat"),
        (b"SEND\ndestination:x\n\nbody\0", "CONNECT"),
        (b"MESSAGE\n\n\0", "command"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "command"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "command"),
        (b"\0" * 100, "command"),
        (b"CONNECT" + b"A" * 20_000, "command"),
        (b"CONNECT\n" + b"a" * 20_000, "too long"),
        (b"CONNECT\n" + b"a:b\n" * 100 + b"\n\0", "too many"),
        (b"CONNECT\nno colon\n\n\0", "name:value"),
        (b"CONNECT\nx:\xff\n\n\0", "UTF-8"),
        (b"CONNECT\ncontent-length:-1\n\n\0", "content-length"),
        (b"CONNECT\ncontent-length:99999999999999999999\n\n\0", "content-length"),
        (b"CONNECT\ncontent-length:999999999\n\n", "body"),
    ],
)
def test_wrong_frames_before_connect_get_an_error_and_the_end(
    front: Manager, sent: bytes, why: str
) -> None:
    with Wire(front.port) as wire, Wire(front.port) as other:
        other.ready()
        wire.send(sent)
        assert why in wire.recv("ERROR").headers["message"]
        assert wire.ends()
        assert other.call("Host.ping2")["result"] is True


@pytest.mark.parametrize(
    ("command", "headers", "why"),
    [
        ("ACK", {"id": "1"}, "not supported"),
        ("NACK", {"id": "1"}, "not supported"),
        ("BEGIN", {"transaction": "t"}, "not supported"),
        ("CONNECT", {"accept_version": "1.2"}, "before"),
        ("SEND", {}, "destination"),
        ("SEND", {"destination": "nobody.listens"}, "nobody"),
        ("SEND", {"destination": REQUESTS, "transaction": "t"}, "transactions"),
        ("SEND", {"destination": REQUESTS, "reply_to": "elsewhere"}, "subscription"),
        ("SUBSCRIBE", {"id": "2"}, "destination"),
        ("SUBSCRIBE", {"destination": "x"}, "id"),
        ("SUBSCRIBE", {"id": "1", "destination": "x"}, "in use"),
        ("SUBSCRIBE", {"id": "2", "destination": "x", "ack": "client"}, "ack"),
        ("UNSUBSCRIBE", {}, "id"),
    ],
)
def test_wrong_frames_after_connect_get_an_error_and_the_end(
    front: Manager, command: str, headers: dict[str, str], why: str
) -> None:
    with Wire(front.port) as wire:
        wire.ready()
        wire.frame(command, PING if command == "SEND" else b"", receipt="r", **headers)
        error = wire.recv("ERROR")
        assert why in error.headers["message"]
        assert error.headers["receipt-id"] == "r"
        assert wire.ends()


def test_no_call_is_made_when_its_answer_could_not_be_delivered(fresh: Manager) -> None:
    with Wire(fresh.port) as wire:
        wire.connect()
        wire.request({"jsonrpc": "2.0", "method": "Host.echo", "params": ["x"], "id": 1})
        wire.recv("ERROR")
    assert fresh.effects() == []


def test_without_reply_to_the_only_subscription_gets_the_answer(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready()
        wire.frame("SEND", PING, destination=REQUESTS)
        assert wire.recv("MESSAGE").headers["subscription"] == "1"
        wire.frame("SUBSCRIBE", id="2", destination="other")
        wire.frame("SEND", PING, destination=REQUESTS)
        assert "reply-to" in wire.recv("ERROR").headers["message"]


@pytest.mark.parametrize(
    "queue", [REQUESTS, "jms.topic.vdsm_irs_requests", "jms.topic.vdsm_requests.some.host"]
)
def test_all_request_queues_are_served(front: Manager, queue: str) -> None:
    with Wire(front.port) as wire:
        wire.ready().request(PING, destination=queue)
        assert wire.answer()["result"] is True


def test_other_destinations_are_forwarded_along_their_hierarchy(front: Manager) -> None:
    with Wire(front.port) as one, Wire(front.port) as two, Wire(front.port) as three:
        one.connect()
        one.frame("SUBSCRIBE", id="s", destination="a.b", receipt="r")
        one.recv("RECEIPT")
        two.connect()
        two.frame("SUBSCRIBE", id="t", destination="a.b.c", receipt="r")
        two.recv("RECEIPT")
        three.connect()
        three.frame("SEND", b"x\0y", destination="a.b.c", custom="v:1", receipt="r")
        three.recv("RECEIPT")
        for wire, name in ((one, "s"), (two, "t")):
            frame = wire.recv("MESSAGE")
            assert frame.body == b"x\0y"
            assert frame.headers["subscription"] == name
            assert frame.headers["destination"] == "a.b.c"
            assert frame.headers["custom"] == "v:1"


def test_requests_of_one_client_are_not_shown_to_another(front: Manager) -> None:
    """Upstream forwards them to whoever subscribes, with their passwords."""
    with Wire(front.port) as spy, Wire(front.port) as engine:
        spy.connect()
        spy.frame("SUBSCRIBE", id="1", destination="jms", receipt="r")
        spy.frame("SUBSCRIBE", id="2", destination=REPLIES, receipt="r")
        spy.recv("RECEIPT")
        spy.recv("RECEIPT")
        assert engine.ready().call("Host.echo", {"message": "secret"})["result"] == "secret"
        spy.frame("SUBSCRIBE", id="3", destination="x", receipt="last")
        assert spy.recv().headers["receipt-id"] == "last"


def test_an_unsubscribed_client_gets_no_more_events(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready()
        wire.frame("SUBSCRIBE", id="e", destination="jms.queue.events")
        wire.call("Host.ping")
        wire.answer()
        wire.frame("UNSUBSCRIBE", id="e")
        wire.call("Host.ping")
        assert wire.call("Host.ping2")["result"] is True


def test_a_frame_may_come_in_single_bytes(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready()
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        text = f"SEND\r\ndestination:{REQUESTS}\r\n\r\n".encode() + PING + b"\0\r\n\n"
        for n in range(len(text)):
            wire.send(text[n : n + 1])
        assert wire.answer()["result"] is True


def test_a_large_body_is_taken_and_a_giant_one_refused(fresh: Manager) -> None:
    with Wire(fresh.port) as wire, Wire(fresh.port) as giant:
        answer = wire.ready().call("Host.echo", {"message": "x" * 2 * MIB})
        assert len(answer["result"]) == 2 * MIB
        giant.ready()
        giant.send(f"SEND\ndestination:{REQUESTS}\n\n".encode())
        before = fresh.resident_kib()
        for _ in range(32):
            giant.send(b"x" * MIB)
        assert "body" in giant.recv("ERROR").headers["message"]
        assert giant.ends()
        assert fresh.resident_kib() - before < 16 * 1024
        assert wire.call("Host.ping2")["result"] is True


# --- time -------------------------------------------------------------------------------------


def test_a_client_that_never_says_connect_is_dropped(stopped: Manager) -> None:
    stopped.limits = {"connect_s": 0.3}
    stopped.start()
    with Wire(stopped.port) as wire, Wire(stopped.port) as dripping:
        dripping.send(b"CONN")
        assert "CONNECT" in wire.recv("ERROR").headers["message"]
        assert "CONNECT" in dripping.recv("ERROR").headers["message"]
        assert wire.ends()


def test_a_slow_sender_is_dropped(stopped: Manager) -> None:
    stopped.limits = {"frame_s": 0.5}
    stopped.start()
    with Wire(stopped.port) as wire, Wire(stopped.port) as other:
        other.ready()
        wire.ready()
        wire.send(b"SEND\ndestination:x\n\nbeginning")
        assert "in time" in wire.recv("ERROR").headers["message"]
        assert wire.ends()
        assert other.call("Host.ping2")["result"] is True


def test_the_server_sends_its_heart_beats_and_a_client_that_keeps_its_own_stays(
    front: Manager,
) -> None:
    with Wire(front.port) as wire:
        wire.connect(heart_beat="1000,1000")
        end = time.monotonic() + 3.5
        while time.monotonic() < end:
            wire.send(b"\n")
            time.sleep(0.5)  # the client's heart
        wire.sock.settimeout(5)
        assert set(wire.sock.recv(100)) == {10}
        wire.frame("SUBSCRIBE", id="1", destination=REPLIES)
        assert wire.call("Host.ping2")["result"] is True


def test_a_client_whose_heart_stops_is_dropped_soon(front: Manager) -> None:
    with Wire(front.port) as silent, Wire(front.port) as quiet:
        began = time.monotonic()
        silent.connect(heart_beat="1000,0")
        quiet.connect(heart_beat="0,0")  # promised nothing
        assert silent.ends(timeout=8)
        assert 1.0 < time.monotonic() - began < 4.0
        quiet.frame("SUBSCRIBE", id="1", destination=REPLIES)
        assert quiet.call("Host.ping2")["result"] is True


def test_a_client_that_stops_reading_is_dropped_for_its_backlog(stopped: Manager) -> None:
    stopped.limits = {"write_buffer_bytes": 4 * MIB}
    stopped.start()
    with Wire(stopped.port, receive_buffer=4096) as deaf, Wire(stopped.port) as other:
        deaf.ready()
        other.ready()
        before = stopped.resident_kib()
        for n in range(60):
            deaf.request({"jsonrpc": "2.0", "method": "Host.getCapabilities", "id": n})
        stopped.wait_for_log("does not read")
        assert stopped.resident_kib() - before < 96 * 1024
        assert other.call("Host.ping2")["result"] is True


def test_a_client_that_stops_reading_is_dropped_after_a_while(stopped: Manager) -> None:
    stopped.limits = {"stalled_write_s": 0.5}
    stopped.start()
    with Wire(stopped.port, receive_buffer=4096) as deaf, Wire(stopped.port) as other:
        other.ready()
        deaf.ready()
        for n in range(8):
            deaf.request({"jsonrpc": "2.0", "method": "Host.getCapabilities", "id": n})
        stopped.wait_for_log("does not read")
        assert other.call("Host.ping2")["result"] is True


def test_idle_connections_are_limited_and_the_others_unharmed(stopped: Manager) -> None:
    stopped.limits = {"connections": 50}
    stopped.start()
    with Wire(stopped.port) as engine:
        engine.ready()
        assert engine.call("Host.ping2")["result"] is True
        idle = [Wire(stopped.port) for _ in range(200)]
        try:
            stopped.wait_for_log("connections are open")
            assert engine.call("Host.ping2")["result"] is True
        finally:
            for wire in idle:
                wire.sock.close()
        stopped.wait_for_log("disconnected")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with Wire(stopped.port) as late:
                    assert late.ready().call("Host.ping2")["result"] is True
                    return
            except (OSError, EOFError):
                time.sleep(0.05)
        raise AssertionError("no new connection after the idle ones had left")
