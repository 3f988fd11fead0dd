# SPDX-License-Identifier: GPL-2.0-or-later
"""TLVs as the engine and the labeler of networks expect them.

recorded/neighbours.json is what lldpcli 1.0.18 printed of the frame of tests/host/test_lldp.py.
"""

from pathlib import Path

import msgspec
import pytest

from supervdsm.network.services.lldp_tlvs import decode, tlvs

RECORDED = (Path(__file__).parent / "recorded/neighbours.json").read_text()


def test_a_frame_becomes_tlvs_in_ovirt_s_words() -> None:
    (heard,) = decode(RECORDED)
    assert (heard.name, heard.via) == ("nic1", "LLDP")
    assert msgspec.to_builtins(tlvs(heard)) == [
        {
            "type": 1,
            "name": "Chassis ID",
            "properties": {"chassis ID subtype": "MAC", "chassis ID": "02:00:5e:00:53:01"},
        },
        {
            "type": 2,
            "name": "Port ID",
            "properties": {"port ID subtype": "Ifname", "port ID": "Ethernet1/7"},
        },
        {"type": 3, "name": "Time to Live", "properties": {"time to live": "120"}},
        {
            "type": 4,
            "name": "Port Description",
            "properties": {"port description": "uplink of rack 3"},
        },
        {"type": 5, "name": "System Name", "properties": {"system name": "switch1.example.org"}},
        {
            "type": 6,
            "name": "System Description",
            "properties": {"system description": "Example Switch, version 1"},
        },
        {
            "type": 7,
            "name": "System Capabilities",
            "properties": {
                "system capabilities": "Bridge, Router",
                "enabled capabilities": "Bridge",
            },
        },
        {
            "type": 8,
            "name": "Management Address",
            "properties": {
                "management address subtype": "IPv4",
                "management address": "192.0.2.9",
                "interface numbering subtype": "Ifindex",
                "interface numbering": "36",
            },
        },
        {
            "type": 8,
            "name": "Management Address",
            "properties": {
                "management address subtype": "IPv6",
                "management address": "2001:db8::9",
                "interface numbering subtype": "Ifindex",
                "interface numbering": "37",
            },
        },
        {
            "type": 127,
            "oui": 0x0080C2,
            "subtype": 1,
            "name": "Port VLAN ID",
            "properties": {"Port VLAN ID": "100"},
        },
        {
            "type": 127,
            "oui": 0x0080C2,
            "subtype": 3,
            "name": "VLAN Name",
            "properties": {"VLAN ID": "100", "VLAN Name": "prod"},
        },
        {
            "type": 127,
            "oui": 0x0080C2,
            "subtype": 3,
            "name": "VLAN Name",
            "properties": {"VLAN ID": "200", "VLAN Name": "storage"},
        },
        {
            "type": 127,
            "oui": 0x0080C2,
            "subtype": 7,
            "name": "Link Aggregation",
            "properties": {
                "Aggregation capable": "True",
                "Currently aggregated": "True",
                "Aggregated Port ID": "42",
            },
        },
        {
            "type": 127,
            "oui": 0x00120F,
            "subtype": 4,
            "name": "MTU",
            "properties": {"mtu": "9216"},
        },
    ]


def heard_of(interface: str) -> list[dict[str, object]]:
    (heard,) = decode('{"lldp": [{"interface": [{"name": "nic0", ' + interface + "}]}]}")
    found: list[dict[str, object]] = msgspec.to_builtins(tlvs(heard))
    return found


def test_the_older_form_of_link_aggregation_is_reported_as_the_newer_one() -> None:
    (tlv,) = heard_of('"port": [{"aggregation": [{"value": "7"}]}]')
    assert (tlv["oui"], tlv["subtype"]) == (0x0080C2, 7)
    assert tlv["properties"] == {
        "Aggregation capable": "True",
        "Currently aggregated": "True",
        "Aggregated Port ID": "7",
    }


def test_a_port_id_that_no_frame_can_hold_is_left_out() -> None:
    assert heard_of('"port": [{"aggregation": [{"value": "' + "7" * 5000 + '"}]}]') == []


def test_a_port_that_could_be_aggregated_says_so() -> None:
    (tlv,) = heard_of(
        '"unknown-tlvs": [{"unknown-tlv": [{"oui": "00,80,C2", "subtype": "7", '
        '"value": "01,00,00,00,00"}]}]'
    )
    assert tlv["properties"] == {
        "Aggregation capable": "True",
        "Currently aggregated": "False",
        "Aggregated Port ID": "0",
    }


@pytest.mark.parametrize(
    "identifier",
    [
        '{"type": "unhandled"}',
        '{"type": "ip", "value": "switch"}',
        '{"type": "mac", "value": ""}',
        '{"type": "something new", "value": "x"}',
    ],
)
def test_an_identifier_that_cannot_be_told_is_left_out(identifier: str) -> None:
    assert heard_of(f'"chassis": [{{"id": [{identifier}]}}]') == []


def test_a_network_address_as_identifier() -> None:
    (tlv,) = heard_of('"port": [{"id": [{"type": "ip", "value": "2001:db8::1"}]}]')
    assert tlv["properties"] == {"port ID subtype": "IPv6", "port ID": "2001:db8::1"}


def test_interfaces_of_management_addresses_that_cannot_be_told_apart_are_left_out() -> None:
    first, second = heard_of(
        '"chassis": [{"mgmt-ip": [{"value": "192.0.2.1"}, {"value": "192.0.2.2"}], '
        '"mgmt-iface": [{"value": "3"}]}]'
    )
    for tlv, address in ((first, "192.0.2.1"), (second, "192.0.2.2")):
        assert tlv["properties"] == {
            "management address subtype": "IPv4",
            "management address": address,
        }


def test_a_pvid_without_a_name() -> None:
    (tlv,) = heard_of('"vlan": [{"vlan-id": "5", "pvid": true}]')
    assert tlv["name"] == "Port VLAN ID"


def test_nobody_heard() -> None:
    assert decode('{"lldp": [{}]}') == []


@pytest.mark.parametrize(
    "text",
    [*("", "{", "[]", '{"lldp": 1}', '{"lldp": [{"interface": [{}]}]}'), '{"x":' + "[" * 9999],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)
