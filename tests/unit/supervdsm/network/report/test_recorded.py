# SPDX-License-Identifier: GPL-2.0-or-later
"""Bonds, VLANs and HFSC as Debian 13's kernel told of them: `recorded/record.py` says how."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import UNSET

from supervdsm.network import qos
from supervdsm.network.config import Network
from supervdsm.network.kernel import classes, links
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.model import LinkMode, Snapshot
from supervdsm.network.report import bonds
from supervdsm.network.report.caps import capabilities
from vdsm_contract.types import DeviceQos, HostQos, NetworkCapabilities, QosClass, QosCurve

RECORDED: Final[Mapping[str, Any]] = json.loads(
    (Path(__file__).parent / "recorded/debian13.json").read_text()
)
MBIT: Final = 1_000_000


def messages(name: str) -> list[memoryview]:
    return [memoryview(base64.b64decode(text)) for text in RECORDED[name]]


@pytest.fixture(scope="module")
def caps() -> NetworkCapabilities:
    found = tuple(links.decode(message) for message in messages("links"))
    index = {link.name: link.index for link in found}
    shaping = [cls for cls in map(classes.decode, messages("classes")) if cls is not None]
    snapshot = Snapshot(links=found, qos={index["dummy_5"]: qos.device_qos(shaping)})
    # A dummy knows no speed: give it one, as a NIC would have.
    up = {link.index: LinkMode(10000) for link in found if link.up and link.kind == "dummy"}
    return capabilities(
        msgspec.structs.replace(snapshot, modes=up),
        [Network(name="storage", nic="dummy_5", bridged=False)],
        nameservers=[],
        supports_ipv6=True,
        patterns=NicPatterns(),
    )


def test_netlink_tells_of_bonds_what_sysfs_tells(caps: NetworkCapabilities) -> None:
    found = {link.name: link for link in map(links.decode, messages("links"))}
    names = {link.index: link.name for link in found.values()}
    for bond, files in RECORDED["bonding"].items():
        told = {
            name: names[int(value)] if value and name in {"primary", "active_slave"} else value
            for name, value in found[bond].options.items()
        }
        # This kernel has no files for them.
        assert set(told) - set(files) == {"coupled_control", "ns_ip6_target"}
        for name, value in told.items():
            text = files.get(name, "")
            text = ",".join(text.split()) if name.endswith("_target") else text
            # A file is empty where the mode has no such option.
            assert not text or text.split()[-1] == value, name


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
