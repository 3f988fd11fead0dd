# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs that change the network: what reaches supervdsm, and what comes back of it."""

import pytest

from unit.vdsm.verbs.caller import Client
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Lane
from vdsm_contract.errors import (
    Busy,
    ContractError,
    DeviceUnavailable,
    HookFailed,
    InvalidArgument,
    NetworkChangeFailed,
    NetworkConfigError,
    ServiceFailed,
    SupervdsmDied,
)

EMPTY: dict[str, JSON] = {"networks": {}, "bondings": {}, "options": {}}


def test_supervdsm_is_given_the_engine_s_own_words(client: Client) -> None:
    networks: dict[str, JSON] = {
        "red": {"nic": "eth1", "vlan": "100", "bridged": "true", "stp": "yes", "gateway": None},
        "old": {"remove": "true"},
        "wrong": 5,
    }
    bondings: dict[str, JSON] = {"bond1": {"nics": ["eth2"], "options": "mode=4"}}
    options: dict[str, JSON] = {"connectivityCheck": "true", "connectivityTimeout": "120"}
    assert (
        client.call("Host.setupNetworks", networks=networks, bondings=bondings, options=options)
        is True
    )
    assert client.supervdsm.fake_network.changes == [("setup", networks, bondings, options)]


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("value", [None, "x", ["red"], 1])
def test_what_is_no_object_is_named_and_does_not_reach_supervdsm(
    client: Client, name: str, value: JSON
) -> None:
    error = client.error("Host.setupNetworks", **{**EMPTY, name: value})
    assert (error.code, error.message.split(":")[0]) == (-32602, name)
    assert client.supervdsm.fake_network.changes == []


@pytest.mark.parametrize(
    ("error", "code", "field"),
    [
        (NetworkConfigError(26, "networks.red.vlan", "out of range"), 26, "networks.red.vlan"),
        (NetworkConfigError(10, "", "no client was heard"), 10, None),
        (InvalidArgument("options", "expected object"), -32602, "options"),
        (Busy("network"), 40, None),
        (HookFailed("/etc/vdsm/hooks/before_network_setup/10_no", 2, "no"), 78, None),
        (NetworkChangeFailed("add VLAN eth0.5", 17, "File exists", True), -32603, None),
        (SupervdsmDied(), 100, None),
    ],
)
def test_a_failed_change_has_ovirt_s_code_and_names_the_field(
    client: Client, error: ContractError, code: int, field: str | None
) -> None:
    client.supervdsm.fake_network.change_error = error
    caught = client.error("Host.setupNetworks", **EMPTY)
    expected: dict[str, JSON] = {"error": type(error).__name__}
    if field:
        expected["field"] = field
    assert (caught.code, caught.message, caught.data) == (code, str(error), expected)


def test_changes_wait_in_a_lane_of_their_own(client: Client) -> None:
    lanes = {name: client.table.lane(f"Host.{name}") for name in ("ping2", "getStats", "getLldp")}
    assert lanes == {"ping2": Lane.LOCAL, "getStats": Lane.HOST, "getLldp": Lane.HOST}
    for name in ("setupNetworks", "setSafeNetworkConfig", "hostdevChangeNumvfs"):
        assert client.table.lane(f"Host.{name}") is Lane.NETWORK


def test_the_safe_configuration(client: Client) -> None:
    assert client.call("Host.setSafeNetworkConfig") is True
    assert client.supervdsm.fake_network.changes == [("safe",)]


@pytest.mark.parametrize(
    ("name", "address"),
    [("pci_0000_03_00_0", "0000:03:00.0"), ("pci_10000_e1_1f_7", "10000:e1:1f.7")],
)
def test_virtual_functions_by_libvirt_s_name(client: Client, name: str, address: str) -> None:
    assert client.call("Host.hostdevChangeNumvfs", deviceName=name, numvfs="4") is True
    assert client.supervdsm.fake_network.changes == [("numvfs", address, 4)]


@pytest.mark.parametrize(
    "name",
    ["", "eth0", "0000:03:00.0", "pci_0000_03_00", "pci_0000_03_00_0\n", "pci_../.._00_00_0"],
)
def test_a_name_that_is_no_pci_device_is_refused(client: Client, name: str) -> None:
    error = client.error("Host.hostdevChangeNumvfs", deviceName=name, numvfs=1)
    assert error.code == -32602
    assert error.message.startswith("deviceName")
    assert client.supervdsm.fake_network.changes == []


def test_a_device_without_virtual_functions(client: Client) -> None:
    client.supervdsm.fake_network.change_error = DeviceUnavailable("0000:03:00.0", "no SR-IOV")
    name = "pci_0000_03_00_0"
    assert client.code("Host.hostdevChangeNumvfs", deviceName=name, numvfs=2) == 100
    assert client.code("Host.hostdevChangeNumvfs", deviceName=name, numvfs=-1) == -32602


def test_lldp_by_nic_in_the_types_that_an_engine_reads(client: Client) -> None:
    assert client.call("Host.getLldp", filter={"devices": ["eth0"]}) == {
        "eth0": {
            "enabled": True,
            "tlvs": [
                {"type": 5, "name": "System Name", "properties": {"system name": "sw1"}},
                {
                    "type": 127,
                    "name": "MTU",
                    "properties": {"mtu": "9236"},
                    "oui": 0x120F,
                    "subtype": 4,
                },
            ],
        }
    }


@pytest.mark.parametrize("wanted", [{}, {"devices": []}])
def test_lldp_of_all_nics(client: Client, wanted: dict[str, JSON]) -> None:
    answer = client.call("Host.getLldp", filter=wanted)
    assert isinstance(answer, dict)
    assert set(answer) == {"eth0", "eth1"}


def test_an_lldp_daemon_that_is_not_there(client: Client) -> None:
    client.supervdsm.fake_network.change_error = ServiceFailed("lldpd.service", "not running")
    assert client.code("Host.getLldp", filter={}) == 100
