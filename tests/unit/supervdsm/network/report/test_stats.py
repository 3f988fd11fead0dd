# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics: counters, states, totals the right way round."""

from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.model import IFF_RUNNING, IFF_UP, Counters, Link, LinkMode, Snapshot
from supervdsm.network.report.stats import statistics
from vdsm_contract.types import InterfaceStats

UP = IFF_UP | IFF_RUNNING
SNAPSHOT = Snapshot(
    links=(
        Link(1, "lo", flags=UP),
        Link(2, "eno1", flags=UP, physical=True),
        Link(3, "eno2", flags=IFF_UP, physical=True),
        Link(4, "eno1.7", kind="vlan", flags=UP, lower=2),
        Link(5, "net", kind="bridge", flags=UP),
    ),
    counters={
        1: Counters(rx_dropped=1000),
        2: Counters(1, 2, 3, 4, 5, 6),
        3: Counters(rx_dropped=10),
        4: Counters(tx_dropped=20),
        5: Counters(),
    },
    modes={2: LinkMode(10000, "full")},
)
STATS = statistics(SNAPSHOT, NicPatterns(), 1234.5)


def test_every_counter_is_under_its_name() -> None:
    assert STATS.network["eno1"] == InterfaceStats(
        name="eno1",
        state="up",
        rx="1",
        tx="2",
        rxErrors="3",
        txErrors="4",
        rxDropped="5",
        txDropped="6",
        speed="10000",
        duplex="full",
        sampleTime=1234.5,
    )


def test_totals_are_not_swapped() -> None:
    assert (STATS.rxDropped, STATS.txDropped) == (15, 26)


def test_a_device_without_carrier_is_down() -> None:
    assert (STATS.network["eno2"].state, STATS.network["eno2"].speed) == ("down", "1000")


def test_a_vlan_is_as_fast_as_its_device() -> None:
    assert STATS.network["eno1.7"].speed == "10000"


def test_which_devices_are_told() -> None:
    assert set(STATS.network) == {"eno1", "eno2", "eno1.7", "net"}
