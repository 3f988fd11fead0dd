# SPDX-License-Identifier: GPL-2.0-or-later
"""Bonds of two NICs below VLANs and a bridge: every mode, options, ports, a pulled cable."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from machines import Report
from vm.engine import LINK_EVENT
from vm.peer import Cables
from vm.site import Site

BONDING: Final = "/sys/class/net/bond0/bonding"
RED: Final = {
    "bonding": "bond0", "vlan": 100, "ipaddr": "10.1.0.2", "netmask": "255.255.255.0",
    "gateway": "10.1.0.1", "ipv6addr": "2001:db8:1::2/64",
}  # fmt: skip
GREEN: Final = {
    "bonding": "bond0", "vlan": 300, "bridged": False, "ipaddr": "10.3.0.2",
    "netmask": "255.255.255.0", "gateway": "10.3.0.1", "ipv6addr": "2001:db8:3::2/64",
    "ipv6gateway": "2001:db8:3::1", "defaultRoute": True,
}  # fmt: skip
FIRST, SECOND = "52:54:00:12:34:01", "52:54:00:12:34:02"

Modes = list[tuple[str, str, str, dict[str, str]]]
# Options as an engine gives them, what the other end is, and the options' numbers.
MODES: Final[Modes] = [
    ("balance-rr", "mode=balance-rr miimon=100 packets_per_slave=2", "bond mode balance-rr",
     {"miimon": "100", "packets_per_slave": "2"}),
    ("active-backup", "mode=1 miimon=100 primary=eth2 primary_reselect=failure updelay=200",
     "bridge", {"miimon": "100", "primary": "eth2", "primary_reselect": "2", "updelay": "200"}),
    ("balance-xor", "mode=2 miimon=100 xmit_hash_policy=layer2+3", "bond mode balance-xor",
     {"miimon": "100", "xmit_hash_policy": "2"}),
    ("broadcast", "mode=3 miimon=150", "bond mode broadcast", {"miimon": "150"}),
    ("802.3ad", "mode=4 miimon=120 lacp_rate=fast xmit_hash_policy=1 ad_select=bandwidth",
     "bond mode 802.3ad miimon 100 lacp_rate fast",
     {"miimon": "120", "lacp_rate": "1", "xmit_hash_policy": "1", "ad_select": "1"}),
    ("balance-tlb", "mode=5 miimon=120 tlb_dynamic_lb=0", "bridge",
     {"miimon": "120", "tlb_dynamic_lb": "0"}),
    ("balance-alb", "mode=6 miimon=50 primary=eth1", "bridge",
     {"miimon": "50", "primary": "eth1"}),
    # Its ARP goes up through the VLAN and the bridge.
    ("active-backup", "mode=1 arp_interval=400 arp_ip_target=10.1.0.1 arp_validate=all", "bridge",
     {"arp_interval": "400", "arp_ip_target": "10.1.0.1", "arp_validate": "3"}),
]  # fmt: skip


def bond(options: str, *nics: str, **more: Any) -> dict[str, Any]:
    return {"bond0": {"nics": list(nics or ("eth1", "eth2")), "options": options, **more}}


@pytest.fixture(scope="module")
def networks(site: Site) -> Iterator[Site]:
    """A network with a bridge and one without, both with addresses and routes, on VLANs."""
    site.peer.vlan(100, "10.1.0.1/24", "2001:db8:1::1/64")
    site.peer.vlan(300, "10.3.0.1/24", "2001:db8:3::1/64")
    before = site.kernel()
    site.setup({"red": RED, "green": GREEN}, bond("mode=1 miimon=100"))
    yield site
    site.clear()
    assert not site.kernel().unlike(before)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.3)


@pytest.mark.parametrize(("mode", "options", "wire", "numbers"), MODES, ids=[m[1] for m in MODES])
def test_a_change_of_mode_leaves_what_is_above_as_it_was(
    networks: Site, mode: str, options: str, wire: str, numbers: dict[str, str]
) -> None:
    before = networks.kernel()
    networks.peer.rewire(wire)
    networks.setup({}, bond(options))
    found = networks.kernel()
    assert found.data("bond0")["mode"] == mode
    lines = networks.shell(f"cd {BONDING} && grep . {' '.join(numbers)} /dev/null").splitlines()
    kernel = {name: value.split()[-1] for name, _, value in (x.partition(":") for x in lines)}
    assert kernel == numbers
    assert (found.routes, found.rules) == (before.routes, before.rules)
    for name in ("red", "bond0.300", "bond0"):
        assert found.global_addresses(name) == before.global_addresses(name)
        assert found.is_up(name)
    for address in ("10.1.0.2", "2001:db8:1::2", "10.3.0.2", "2001:db8:3::2"):
        assert networks.peer.reaches(address), address
    told = networks.engine.caps()["bondings"]["bond0"]
    assert {"mode": str(modes(mode)), **numbers}.items() <= told["opts"].items()
    assert told["slaves"] == ["eth1", "eth2"]
    if mode == "802.3ad":
        assert told["ad_partner_mac"] == networks.peer.run("cat /sys/class/net/wire/address")
        nics = networks.engine.caps()["nics"]
        assert {nics[nic]["ad_aggregator_id"] for nic in ("eth1", "eth2")} == {
            told["ad_aggregator_id"]
        }


def modes(name: str) -> int:
    order = "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb"
    return order.split().index(name)


def test_a_nic_leaves_a_bond_and_comes_back(networks: Site, report: Report) -> None:
    networks.peer.rewire("bridge")
    networks.setup({}, bond("mode=1 miimon=100"))
    before = networks.kernel()
    assert before.hwaddr("bond0") == FIRST
    with networks.peer.watching("10.1.0.2") as watch:
        networks.setup({}, bond("mode=1 miimon=100", "eth2"))
    report(f"the active NIC left the bond: silent for {watch.silence:.2f} s")
    found = networks.kernel()
    assert (found.master("eth1"), found.master("eth2")) == ("", "bond0")
    # Its address went with it, or two devices on a wire had the same.
    assert found.hwaddr("eth1") == FIRST
    assert {found.hwaddr(name) for name in ("bond0", "bond0.100", "red")} == {SECOND}
    assert (found.routes, found.rules) == (before.routes, before.rules)
    assert networks.peer.reaches("10.3.0.2")
    with networks.peer.watching("10.1.0.2") as watch:
        networks.setup({}, bond("mode=1 miimon=100"))
    report(f"it came back: silent for {watch.silence:.2f} s")
    found = networks.kernel()
    assert {found.master(nic) for nic in ("eth1", "eth2")} == {"bond0"}
    assert networks.engine.caps()["bondings"]["bond0"]["slaves"] == ["eth1", "eth2"]


def test_a_bond_has_the_hardware_address_that_is_asked_for(networks: Site) -> None:
    asked = "52:54:00:AA:BB:CC"
    networks.setup({}, bond("mode=1 miimon=100", hwaddr=asked))
    found = networks.kernel()
    assert {found.hwaddr(name) for name in ("bond0", "bond0.100", "red")} == {asked.lower()}
    assert networks.engine.caps()["bondings"]["bond0"]["hwaddr"] == asked.lower()
    assert networks.peer.reaches("10.1.0.2")


def test_a_pulled_cable_is_told_and_the_other_nic_takes_over(
    networks: Site, cables: Cables, report: Report
) -> None:
    networks.peer.rewire("bridge")
    networks.setup({}, bond("mode=1 miimon=100 primary=eth1"))

    def active() -> str:
        return str(networks.engine.caps()["bondings"]["bond0"]["active_slave"])

    until(lambda: active() == "eth1")
    try:
        with networks.engine.events() as events:
            events.drain()
            with networks.peer.watching("10.1.0.2") as watch:
                began = time.monotonic()
                cables.pull("eth1")
                event = events.next()
                told = time.monotonic() - began
            assert event["method"] == LINK_EVENT
            assert active() == "eth2"
            assert networks.engine.caps()["nics"]["eth1"]["speed"] == 0
            assert networks.engine.call("Host.getStats")["network"]["eth1"]["state"] == "down"
            events.drain()
            cables.plug("eth1")
            assert events.next()["method"] == LINK_EVENT
            until(lambda: active() == "eth1")
    finally:
        cables.plug("eth1")
    report(f"a pulled cable: told after {told:.2f} s, an address silent for {watch.silence:.2f} s")
