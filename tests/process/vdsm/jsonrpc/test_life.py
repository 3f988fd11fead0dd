# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's life: READY, the watchdog, and the drain on SIGTERM."""

import signal
import time

from front.manager import Manager
from front.wire import Wire

WAITING = {"jsonrpc": "2.0", "method": "Host.getStats", "id": 1}


def test_sigterm_finishes_calls_in_flight_and_exits_0(fresh: Manager) -> None:
    with Wire(fresh.port) as wire:
        wire.ready().request(WAITING, receipt="r")
        wire.recv("RECEIPT")
        assert fresh.process is not None
        fresh.process.send_signal(signal.SIGTERM)
        fresh.expect("STOPPING=1")
        fresh.open_gate()
        assert wire.answer()["result"] == {"ended": True}
        assert wire.ends()
        assert fresh.process.wait(10) == 0


def test_a_call_that_does_not_end_is_left_behind(stopped: Manager) -> None:
    stopped.drain_s = 0.5
    stopped.start()
    with Wire(stopped.port) as wire:
        wire.ready().request(WAITING, receipt="r")
        wire.recv("RECEIPT")
        began = time.monotonic()
        assert stopped.terminate() == 0
        assert time.monotonic() - began < 8
        stopped.wait_for_log("are left behind")


def test_a_client_that_comes_during_the_drain_is_served_by_the_next_vdsm(fresh: Manager) -> None:
    with Wire(fresh.port) as wire:
        wire.ready().request(WAITING, receipt="r")
        wire.recv("RECEIPT")
        assert fresh.process is not None
        fresh.process.send_signal(signal.SIGTERM)
        fresh.expect("STOPPING=1")
        with Wire(fresh.port) as late:
            fresh.open_gate()
            assert fresh.process.wait(10) == 0
            fresh.start()
            assert late.ready().call("Host.ping2")["result"] is True


def test_a_request_during_the_drain_is_not_begun(fresh: Manager) -> None:
    with Wire(fresh.port) as wire, Wire(fresh.port) as other:
        other.ready()
        wire.ready().request(WAITING, receipt="r")
        wire.recv("RECEIPT")
        assert fresh.process is not None
        fresh.process.send_signal(signal.SIGTERM)
        fresh.expect("STOPPING=1")
        other.request({"jsonrpc": "2.0", "method": "Host.echo", "params": ["x"], "id": 1})
        fresh.open_gate()
        assert fresh.process.wait(10) == 0
    assert fresh.effects() == []


def test_the_socket_outlives_a_kill(fresh: Manager) -> None:
    assert fresh.process is not None
    fresh.process.kill()
    fresh.process.wait()
    with Wire(fresh.port) as wire:
        fresh.start()
        assert wire.ready().call("Host.ping2")["result"] is True


def test_the_watchdog_is_told_while_calls_hang(stopped: Manager) -> None:
    """A hanging call is not a hanging vdsm."""
    stopped.environment["VDSM_WATCHDOG_USEC"] = "200000"
    stopped.start()
    with Wire(stopped.port) as wire:
        wire.ready()
        for _ in range(20):
            wire.request(WAITING)
        for _ in range(5):
            stopped.expect("WATCHDOG=1", timeout=5)


def test_the_watchdog_is_not_told_when_the_loop_stands_still(stopped: Manager) -> None:
    stopped.environment["VDSM_WATCHDOG_USEC"] = "200000"
    stopped.start()
    assert stopped.process is not None
    stopped.expect("WATCHDOG=1")
    stopped.process.send_signal(signal.SIGSTOP)
    try:
        heard = 0
        while heard < 50:
            try:
                stopped.expect("WATCHDOG=1", timeout=1)
            except AssertionError:
                break
            heard += 1
    finally:
        stopped.process.send_signal(signal.SIGCONT)
    assert heard < 50
    stopped.expect("WATCHDOG=1")


def test_a_client_that_reads_late_cannot_begin_calls_during_the_drain(fresh: Manager) -> None:
    with Wire(fresh.port, receive_buffer=4096) as wire:
        wire.ready().request(WAITING, receipt="r")
        wire.recv("RECEIPT")
        for n in range(12):
            wire.request({"jsonrpc": "2.0", "method": "Host.getCapabilities", "id": n})
        fresh.wait_for_log("method=Host.getCapabilities")
        assert fresh.process is not None
        fresh.process.send_signal(signal.SIGTERM)
        fresh.expect("STOPPING=1")
        wire.request({"jsonrpc": "2.0", "method": "Host.echo", "params": ["x"], "id": 99})
        for _ in range(12):
            wire.recv("MESSAGE")
        time.sleep(0.3)  # long enough to begin the call, if it were: there is no event for that
        fresh.open_gate()
        assert fresh.process.wait(10) == 0
    assert fresh.effects() == []
