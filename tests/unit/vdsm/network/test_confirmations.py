# SPDX-License-Identifier: GPL-2.0-or-later
"""What supervdsm hears of the clients that call vdsm."""

import logging
import queue
import threading
from collections.abc import Callable

import pytest

from vdsm.host.clients import ClientWatch
from vdsm.network.confirmations import Confirmations
from vdsm_contract.errors import ContractError, SupervdsmDied
from vdsm_contract.interfaces import Network


class Listener(Network):
    """A supervdsm that writes down what it is told; `fail` says what it does instead."""

    def __init__(self, fail: Callable[[float], ContractError | None] = lambda _seen: None) -> None:
        self.told: queue.Queue[float] = queue.Queue()
        self.gate = threading.Event()
        self.gate.set()
        self._fail = fail

    def confirm_connectivity(self, seen: float) -> None:
        error = self._fail(seen)
        self.told.put(seen)
        assert self.gate.wait(20)
        if error is not None:
            raise error


class Clock:
    """Counts how often it was read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def clients() -> ClientWatch:
    return ClientWatch(Clock())


def test_each_sign_of_a_client_is_passed_on(clients: ClientWatch) -> None:
    supervdsm = Listener()
    with Confirmations(clients, supervdsm, pause=0.0):
        for n in (1.0, 2.0):
            clients.seen()
            assert supervdsm.told.get(timeout=10) == n


def test_without_clients_supervdsm_is_left_alone(clients: ClientWatch) -> None:
    supervdsm = Listener()
    with Confirmations(clients, supervdsm, pause=0.0):
        clients.seen()
        supervdsm.told.get(timeout=10)
        with pytest.raises(queue.Empty):
            supervdsm.told.get(timeout=0.2)


def test_while_supervdsm_does_not_answer_only_the_newest_waits(clients: ClientWatch) -> None:
    supervdsm = Listener()
    supervdsm.gate.clear()
    with Confirmations(clients, supervdsm, pause=0.0):
        clients.seen()
        assert supervdsm.told.get(timeout=10) == 1.0
        for _ in range(98):
            clients.seen()  # returns at once: no client waits for supervdsm
        assert supervdsm.told.empty()
        supervdsm.gate.set()
        assert supervdsm.told.get(timeout=10) == 99.0


def test_a_client_that_calls_all_the_time_is_one_message_in_each_pause(
    clients: ClientWatch,
) -> None:
    supervdsm = Listener()
    with Confirmations(clients, supervdsm, pause=30.0):
        clients.seen()
        assert supervdsm.told.get(timeout=10) == 1.0
        clients.seen()
        with pytest.raises(queue.Empty):
            supervdsm.told.get(timeout=0.2)


def test_what_supervdsm_did_not_hear_is_dropped_and_logged_once(
    clients: ClientWatch, caplog: pytest.LogCaptureFixture
) -> None:
    supervdsm = Listener(lambda seen: SupervdsmDied() if seen < 3.0 else None)
    with caplog.at_level(logging.INFO), Confirmations(clients, supervdsm, pause=0.0):
        for n in (1.0, 2.0, 3.0, 4.0):
            clients.seen()
            assert supervdsm.told.get(timeout=10) == n
    lines = [r.getMessage() for r in caplog.records if r.name == "vdsm.network.confirmations"]
    assert [line.partition(":")[0] for line in lines] == [
        "supervdsm does not hear of clients",
        "supervdsm hears of clients again",
    ]


def test_a_defect_does_not_end_the_confirmations(
    clients: ClientWatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(seen: float) -> ContractError | None:
        if seen == 1.0:
            raise ZeroDivisionError
        return None

    supervdsm = Listener(fail)
    with Confirmations(clients, supervdsm, pause=0.0):
        clients.seen()
        while "ZeroDivisionError" not in caplog.text:
            threading.Event().wait(0.01)
        clients.seen()
        assert supervdsm.told.get(timeout=10) == 2.0


def test_the_end_does_not_wait_for_supervdsm(clients: ClientWatch) -> None:
    supervdsm = Listener()
    supervdsm.gate.clear()
    with Confirmations(clients, supervdsm, pause=0.0):
        clients.seen()
        supervdsm.told.get(timeout=10)
    clients.seen()
    supervdsm.gate.set()
    with pytest.raises(queue.Empty):
        supervdsm.told.get(timeout=0.2)
