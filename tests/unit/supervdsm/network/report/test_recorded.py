# SPDX-License-Identifier: GPL-2.0-or-later
"""Bonds, VLANs and HFSC as Debian 13's kernel told of them: `recorded/record.py` says how."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import UNSET
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from supervdsm.network import qos
from supervdsm.network.kernel import decode
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.model import Snapshot
from supervdsm.network.report import bonds
from supervdsm.network.report.caps import capabilities
from supervdsm.network.report.networks import RunningNetwork
from vdsm_contract.types import DeviceQos, HostQos, NetworkCapabilities, QosClass, QosCurve

RECORDED: Final[Mapping[str, Any]] = json.loads(
    (Path(__file__).parent / "recorded/debian13.json").read_text()
)
MBIT: Final = 1_000_000


def messages(cls: Any, name: str) -> list[Any]:
    found = []
    for text in RECORDED[name]:
        message = cls(base64.b64decode(text))
        message.decode()
        found.append(message)
    return found


@pytest.fixture(scope="module")
def caps() -> NetworkCapabilities:
    links = tuple(decode.link(message) for message in messages(ifinfmsg, "links"))
    index = {link.name: link.index for link in links}
    snapshot = Snapshot(
        links=links,
        bond_options={index[name]: raw for name, raw in RECORDED["bonding"].items()},
        qos={index["dummy_5"]: qos.device_qos(decode.hfsc_classes(messages(tcmsg, "classes")))},
    )
    # A dummy knows no speed: give it one, as a NIC would have.
    up = {link.index: 10000 for link in links if link.up and link.kind == "dummy"}
    return capabilities(
        replace(snapshot, speeds=up),
        [RunningNetwork("storage", "dummy_5", bridged=False)],
        nameservers=[],
        supports_ipv6=True,
        patterns=NicPatterns(),
    )


@pytest.mark.parametrize("mode", "0123456")
def test_a_bond_that_nobody_configured_has_no_options_in_any_mode(mode: str) -> None:
    assert bonds.options(RECORDED["fresh"][mode]) == {"mode": mode}


def test_an_aggregating_bond(caps: NetworkCapabilities) -> None:
    bond = caps.bondings["bond0"]
    assert bond.slaves == ["dummy_1", "dummy_2"]
    assert bond.opts == {"mode": "4", "miimon": "150", "lacp_rate": "1", "xmit_hash_policy": "1"}
    assert (bond.ad_aggregator_id, bond.ad_partner_mac) == ("1", "00:00:00:00:00:00")
    assert bond.speed == 20000


def test_a_failing_over_bond(caps: NetworkCapabilities) -> None:
    bond = caps.bondings["bond1"]
    assert bond.active_slave == "dummy_4"
    assert bond.opts == {
        "mode": "1",
        "arp_interval": "1000",
        "arp_ip_target": "192.0.2.1,192.0.2.2",
        "primary": "dummy_4",
    }
    assert (bond.ad_aggregator_id, bond.ad_partner_mac, bond.speed) == (UNSET, UNSET, 10000)


def test_ports_stay_nics_and_know_their_own_addresses(caps: NetworkCapabilities) -> None:
    first, second, third = (caps.nics[f"dummy_{number}"] for number in (1, 2, 3))
    assert first.hwaddr == second.hwaddr == caps.bondings["bond0"].hwaddr
    assert second.permhwaddr == "02:00:00:00:00:02"
    assert first.ad_aggregator_id == "1"
    assert third.ad_aggregator_id == UNSET


def test_a_vlan(caps: NetworkCapabilities) -> None:
    vlan = caps.vlans["bond0.100"]
    assert (vlan.iface, vlan.vlanid, vlan.mtu) == ("bond0", 100, "1500")


def test_shaping(caps: NetworkCapabilities) -> None:
    # A link share is a weight: the 8 and 16 Mbit/s that `tc` was told are bytes to the kernel.
    untagged = HostQos(QosClass(ls=QosCurve(m2=1 * MBIT)))
    tagged = HostQos(
        QosClass(
            ls=QosCurve(m2=2 * MBIT),
            ul=QosCurve(m2=32 * MBIT),
            rt=QosCurve(m1=4 * MBIT, d=10_000, m2=2 * MBIT),
        )
    )
    assert caps.nics["dummy_5"].qos == [DeviceQos(untagged, -1), DeviceQos(tagged, 100)]
    assert caps.nics["dummy_1"].qos == UNSET
    assert caps.networks["storage"].hostQos == untagged
