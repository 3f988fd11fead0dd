# SPDX-License-Identifier: GPL-2.0-or-later
"""The workers of each lane, and what they wait for."""

from pathlib import Path

from unit.vdsm.verbs.caller import Client
from vdsm import daemon
from vdsm.jsonrpc.registry import Lane
from vdsm_contract.interfaces import Network
from vdsm_contract.limits import REPLY_GRACE


def test_a_network_change_may_take_its_time_before_its_lane_counts_as_stuck() -> None:
    longest = max(verb.promise.limit for verb in Network.VERBS.values())
    assert longest + REPLY_GRACE < daemon._NETWORK.stuck_s


def test_a_change_leaves_workers_to_refuse_the_next_one() -> None:
    assert daemon._NETWORK.workers > 1


def test_each_lane_has_verbs(tmp_path: Path) -> None:
    table = Client(tmp_path).table
    assert {table.lane(name) for name in table} == set(Lane)
