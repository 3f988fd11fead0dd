# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's sign comes by the contract, from vdsm to the supervdsm that waits for it."""

import math
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from faults.kernel_dump import difference
from faults.network_host import Host, eventually, network_host
from vdsm_contract.errors import NetworkConfigError, SupervdsmDied

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")

NETWORKS: dict[str, Any] = {"ovirtmgmt": {"nic": "nic0", "ipaddr": "10.0.1.2", "prefix": 24}}


@pytest.fixture
def host() -> Iterator[Host]:
    with network_host() as made:
        made.start()
        yield made


def confirm(host: Host, seen: float) -> None:
    with host.client() as client:
        client.network.confirm_connectivity(seen)


def test_a_sign_of_after_the_change_keeps_it(host: Host) -> None:
    end = host.begin_setup(NETWORKS, connectivityTimeout=25)
    eventually(lambda: "the engine" not in host.log() and "ovirtmgmt" in host.devices())
    started = time.monotonic()
    # The engine polls: the first sign may have come before the last operation.
    while "was heard from" not in host.log():
        confirm(host, time.monotonic())
        assert time.monotonic() < started + 20
    assert end() is None
    assert "staging/nets/ovirtmgmt" in host.stored()


@pytest.mark.parametrize("seen", [0.0, -1.0, math.inf, 1e300])
def test_another_one_does_not(host: Host, seen: float) -> None:
    # Also one of the future, told before: when it was told it was not after the change.
    if math.isfinite(seen):
        confirm(host, seen)
    before = host.dump()
    error = host.begin_setup(NETWORKS, connectivityTimeout=0)()
    assert isinstance(error, NetworkConfigError)
    assert error.errCode == 10
    assert difference(before, host.dump()) == []
    assert host.stored() == {}


def test_killed_while_it_waits_the_old_network_is_back_before_it_is_ready(host: Host) -> None:
    before = host.dump()
    end = host.begin_setup(NETWORKS, connectivityTimeout=25)
    eventually(lambda: "operations done" in host.log())
    host.kill()
    assert isinstance(end(), SupervdsmDied)
    assert difference(before, host.dump()) != []
    host.start()
    assert difference(before, host.dump()) == []
    assert host.stored() == {}
    assert host.leftovers() == []
