# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON-RPC over the real server: calls, batches, notifications, errors, the pool's bounds."""

import select
import time

import pytest

from front.manager import Manager
from front.wire import REPLIES, Wire
from vdsm.jsonrpc.limits import Limits


def request(identity: object, method: str = "Host.echo", **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params, "id": identity}


def test_a_call_is_answered_on_its_own_connection_alone(front: Manager) -> None:
    with Wire(front.port) as one, Wire(front.port) as two:
        one.ready()
        two.ready()
        # Equal ids and equal reply queues, as two engines have them.
        for n in range(20):
            one.request(request(n, message=f"one {n}"))
            two.request(request(n, message=f"two {n}"))
        got_one = {a["id"]: a["result"] for a in (one.answer() for _ in range(20))}
        got_two = {a["id"]: a["result"] for a in (two.answer() for _ in range(20))}
    assert got_one == {n: f"one {n}" for n in range(20)}
    assert got_two == {n: f"two {n}" for n in range(20)}


def test_the_answer_carries_subscription_destination_and_message_id(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready()
        wire.request(request("a"))
        frame = wire.recv("MESSAGE")
    assert frame.headers["subscription"] == "1"
    assert frame.headers["destination"] == REPLIES
    assert frame.headers["content-type"] == "application/json"
    assert frame.headers["message-id"]


@pytest.mark.parametrize("identity", [0, -1, 2**70, 1.5, "", "x\n", None])
def test_every_kind_of_id_comes_back(front: Manager, identity: object) -> None:
    with Wire(front.port) as wire:
        wire.ready().request(request(identity, message="m"))
        assert wire.answer() == {"jsonrpc": "2.0", "id": identity, "result": "m"}


def test_none_becomes_true(front: Manager) -> None:
    with Wire(front.port) as wire:
        assert wire.ready().call("Host.ping2")["result"] is True


def test_a_batch_is_answered_as_one_array(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready().request(
            [
                request(1, message="a"),
                {"jsonrpc": "2.0", "method": "Host.echo", "params": {"message": "n"}},
                request(2, "Host.nonsense"),
                7,
                request(3, message="b"),
            ]
        )
        answers = wire.answer()
    assert [answer["id"] for answer in answers] == [1, 2, None, 3]
    assert [answer.get("result") for answer in answers] == ["a", None, None, "b"]
    assert [answers[1]["error"]["code"], answers[2]["error"]["code"]] == [-32601, -32600]


def test_a_batch_of_one_is_answered_as_an_array(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready().request([request(5, message="a")])
        assert [answer["id"] for answer in wire.answer()] == [5]


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b"{}", b'{"jsonrpc":"1.0"}'])
def test_what_is_no_request_gets_exactly_one_error(front: Manager, body: bytes) -> None:
    with Wire(front.port) as wire:
        wire.ready().request(body)
        assert wire.answer()["error"]["code"] == -32600
        assert wire.call("Host.ping2")["result"] is True  # and not a second error


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"\xff", b"1" * 10_000, b'{"id":1e400}', b"NaN"]
)
def test_what_is_not_json_gets_a_parse_error(front: Manager, body: bytes) -> None:
    with Wire(front.port) as wire:
        wire.ready().request(body)
        answer = wire.answer()
        assert (answer["id"], answer["error"]["code"]) == (None, -32700)
        assert wire.call("Host.ping2")["result"] is True


def test_notifications_run_and_are_never_answered(fresh: Manager) -> None:
    note = {"jsonrpc": "2.0", "method": "Host.echo", "params": {"message": "n"}}
    with Wire(fresh.port) as wire:
        wire.ready()
        wire.request(note, ovirtCorrelationId="single")
        wire.request([note, note], ovirtCorrelationId="batch")
        wire.request({"jsonrpc": "2.0", "method": "Host.nonsense"})
        assert wire.call("Host.echo", {"message": "last"}, ovirtCorrelationId="last")["id"] == 1
        fresh.wait_for_log("method=Host.nonsense")
    # The pool may end them in any order.
    deadline = time.monotonic() + 10
    while len(fresh.effects()) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(fresh.effects()) == ["batch", "batch", "last", "single"]


def test_positional_parameters_come_in_the_schemas_order(front: Manager) -> None:
    with Wire(front.port) as wire:
        assert wire.ready().call("Host.echo", ["positional"])["result"] == "positional"
        assert wire.call("Host.echo", ["a", "b"])["error"]["code"] == -32602


def test_errors_have_ovirts_codes_and_say_what_is_wrong(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready()

        def error(method: str, params: object = None) -> tuple[int, str]:
            body = wire.call(method, params)["error"]
            return body["code"], body["message"]

        assert error("Host.nonsense")[0] == -32601
        assert error("__class__")[0] == -32601
        assert error("VM.create")[0] == 44
        assert error("Host.echo") == (-32602, "message: is missing")
        assert error("Host.echo", {"message": 3}) == (
            -32602,
            "message: expected string, got number",
        )
        assert error("Host.registerSecrets", {"secrets": [{"uuid": 1}]})[1].startswith("secrets[0]")
        assert error("Host.setLogLevel", {"level": "DEBUG"}) == (477, "no such export")
        code, message = error("Host.setLogLevel", {"level": "ERROR"})
        assert code == -32603
        assert "secret detail" not in message
        assert error("Host.setLogLevel", {"level": "WARNING"})[0] == -32603  # not JSON
        died = wire.call("Host.setLogLevel", {"level": "INFO"})["error"]
        assert died["data"] == {"error": "SupervdsmDied"}


def test_calls_before_vdsm_is_ready_get_99(stopped: Manager) -> None:
    (stopped.directory / "recovering").touch()
    stopped.start()
    with Wire(stopped.port) as wire:
        assert wire.ready().call("Host.ping2")["error"]["code"] == 99
        (stopped.directory / "recovering").unlink()
        assert wire.call("Host.ping2")["result"] is True


def test_flow_id_and_addresses_reach_the_verb_and_the_log(front: Manager) -> None:
    with Wire(front.port) as wire:
        host, port = wire.sock.getsockname()
        result = wire.ready().call("Host.getHardwareInfo", ovirtCorrelationId="f\n1")["result"]
        assert result == {
            "client": f"{host}:{port}",
            "local": f"127.0.0.1:{front.port}",
            "flow": "f?1",  # a line end of the client must not make a line of the log
        }
        front.wait_for_log(f"method=Host.getHardwareInfo client={host}:{port} flow=f?1 code=0")


def test_a_flow_id_cannot_forge_the_fields_of_a_log_line(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready()
        wire.call("Host.echo", {"message": 1}, ovirtCorrelationId="forged code=0 duration=0.1s")
    front.wait_for_log("flow=forged?code=0?duration=0.1s code=-32602")


def test_secret_parameters_are_not_logged(front: Manager) -> None:
    secret = {"usageID": "u", "usageType": "ceph", "uuid": "x", "password": "hunter2"}
    with Wire(front.port) as wire:
        assert wire.ready().call("Host.registerSecrets", {"secrets": [secret]})["result"] is True
    front.wait_for_log("method=Host.registerSecrets")
    assert "hunter2" not in front.log.read_text()
    assert '"***"' in front.log.read_text() or "'***'" in front.log.read_text()


def test_the_pool_is_bounded_and_refuses_with_1100(fresh: Manager) -> None:
    """One client may hold 64 calls, all together 8 running and 80 waiting; others get 1100."""
    with Wire(fresh.port) as one, Wire(fresh.port) as two, Wire(fresh.port) as three:
        for wire in (one, two, three):
            wire.ready()
        for n in range(100):
            one.request(request(n, "Host.getStats"))
        refused = [one.answer() for _ in range(100 - 64)]
        assert {answer["error"]["code"] for answer in refused} == {1100}
        for n in range(100):
            two.request(request(n, "Host.getStats"))
        refused = [two.answer() for _ in range(100 - (88 - 64))]
        assert {answer["error"]["code"] for answer in refused} == {1100}
        assert three.call("Host.getCapabilities")["error"]["code"] == 1100
        fresh.open_gate()
        ended = [one.answer()["result"]["ended"] for _ in range(64)]
        ended += [two.answer()["result"]["ended"] for _ in range(88 - 64)]
        assert all(ended)
        assert three.call("Host.ping2")["result"] is True


def test_calls_that_hang_do_not_delay_those_that_wait_for_nobody(fresh: Manager) -> None:
    """Not for another client, and not for the one whose calls hang: engines have one connection."""
    with Wire(fresh.port) as engine, Wire(fresh.port) as other:
        engine.ready()
        other.ready()
        for n in range(64):
            engine.request(request(n, "Host.getStats"))
        other.request(request(0, "Host.getStats"), receipt="r")
        other.recv("RECEIPT")
        for wire in (engine, other):
            assert wire.call("Host.ping2")["result"] is True
            assert wire.call("Host.echo", {"message": "here"})["result"] == "here"


def test_dead_storage_servers_do_not_delay_calls_to_the_host(fresh: Manager) -> None:
    params = {"storagepoolID": "", "domainType": 1, "connectionParams": []}
    with Wire(fresh.port) as engine:
        engine.ready()
        for n in range(64):
            engine.request(request(n, "StoragePool.connectStorageServer", **params))
        assert "client" in engine.call("Host.getHardwareInfo")["result"]


def test_ten_thousand_pending_requests_do_not_grow_the_memory(fresh: Manager) -> None:
    with Wire(fresh.port) as wire, Wire(fresh.port) as other:
        wire.ready()
        other.ready()
        before = fresh.resident_kib()
        refused = 0
        for start in range(0, 10_000, 500):
            for n in range(start, start + 500):
                wire.request(request(n, "Host.getStats"))
            for _ in range(500 - (64 if start == 0 else 0)):
                refused += wire.answer()["error"]["code"] == 1100
        assert refused == 10_000 - 64
        assert fresh.resident_kib() - before < 8 * 1024
        fresh.open_gate()
        assert other.call("Host.ping2")["result"] is True


def test_slow_calls_are_marked_in_the_log(fresh: Manager) -> None:
    with Wire(fresh.port) as wire:
        wire.ready().request(request(1, "Host.getStats"))
        time.sleep(1.1)  # a call is slow after one second: there is no event for that
        fresh.open_gate()
        wire.answer()
    fresh.wait_for_log(" slow")


def test_events_reach_their_subscribers_and_nobody_else(fresh: Manager) -> None:
    with Wire(fresh.port) as engine, Wire(fresh.port) as other:
        engine.connect()
        engine.frame("SUBSCRIBE", id="e", destination="jms.queue.events")
        engine.frame("SUBSCRIBE", id="1", destination=REPLIES, receipt="r")
        engine.recv("RECEIPT")
        other.ready()
        assert other.call("Host.ping")["result"] is True
        event = engine.answer()
        assert other.call("Host.ping2")["result"] is True
    assert event["method"] == "|virt|VM_status|1"
    assert event["params"]["1"] == {"status": "Up"}
    assert event["params"]["notify_time"] > 0
    assert "id" not in event


def test_a_batch_as_large_as_may_be_is_served_whole(front: Manager) -> None:
    with Wire(front.port) as wire:
        wire.ready().request([request(n, message=str(n)) for n in range(Limits().batch)])
        assert [a.get("result") for a in wire.answer()] == list(map(str, range(Limits().batch)))
        wire.request([request(n, message="m") for n in range(Limits().batch + 1)])
        assert wire.answer()["error"]["code"] == -32600


def test_a_large_parameter_does_not_keep_others_waiting(fresh: Manager) -> None:
    """Checking 4 MiB of small values takes seconds; heart-beats and other calls go on."""
    secret = b'{"usageID":"","usageType":"ceph","uuid":"","password":""}'
    large = b'{"jsonrpc":"2.0","method":"Host.registerSecrets","id":1,"params":[[%s]]}'
    with Wire(fresh.port) as wire, Wire(fresh.port) as other:
        wire.ready()
        other.ready()
        wire.request(large % b",".join([secret] * 70_000))
        longest, answered = 0.0, False
        while not answered:
            began = time.monotonic()
            assert other.call("Host.ping2")["result"] is True
            longest = max(longest, time.monotonic() - began)
            answered = bool(select.select([wire.sock], [], [], 0.01)[0])
        assert wire.answer()["result"] is True
        assert longest < 0.5


def test_deep_and_long_parameters_are_logged_in_short_and_harm_nobody(fresh: Manager) -> None:
    fresh.open_gate()
    deep = b'{"a":' * 700 + b"1" + b"}" * 700
    body = b'{"jsonrpc":"2.0","method":"StoragePool.connectStorageServer","id":1,"params":%s}'
    with Wire(fresh.port) as wire:
        wire.ready().request(body % (b'["p", 1, [{"id":"i","connection":"c","more":%s}]]' % deep))
        assert wire.answer()["result"] == {"ended": True}
        assert len(wire.call("Host.echo", {"message": "x" * 1_000_000})["result"]) == 1_000_000
    assert max(map(len, fresh.log.read_text().splitlines())) < 10_000
