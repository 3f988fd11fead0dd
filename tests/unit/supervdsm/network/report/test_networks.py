# SPDX-License-Identifier: GPL-2.0-or-later
"""oVirt's running configuration, also when vdsm writes nonsense into it."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.report import networks
from supervdsm.network.report.networks import RunningNetwork


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    """The directory of networks, laid out as oVirt does: `netconf` is a link."""
    real = tmp_path / "staging/netconf.q8Zx0aB1/nets"
    real.mkdir(parents=True)
    (tmp_path / "staging/netconf").symlink_to("netconf.q8Zx0aB1")
    return real


@pytest.mark.parametrize(
    ("attributes", "southbound", "iface"),
    [
        ({"nic": "eno1"}, "eno1", "net"),
        ({"nic": "eno1", "vlan": 100}, "eno1.100", "net"),
        ({"nic": "eno1", "vlan": "100", "bridged": "false"}, "eno1.100", "eno1.100"),
        ({"nic": "eno1", "vlan": 0, "bridged": False}, "eno1.0", "eno1.0"),
        ({"bonding": "bond0", "bridged": False}, "bond0", "bond0"),
        ({"bonding": "bond0", "nic": "eno1"}, "eno1", "net"),
        ({"mtu": 1500, "custom": {"x": [1]}}, "net", "net"),
    ],
)
def test_which_devices_a_network_is_on(
    attributes: dict[str, object], southbound: str, iface: str
) -> None:
    network = networks.parse("net", json.dumps(attributes).encode())
    assert (network.southbound, network.iface) == (southbound, iface)


def test_all_files_are_read_through_the_link(tmp_path: Path, nets: Path) -> None:
    (nets / "ovirtmgmt").write_text('{"nic": "eno1", "switch": "legacy", "stp": false}')
    (nets / "display").write_text('{"bonding": "bond0", "vlan": 7, "bridged": false}')
    assert networks.running(tmp_path) == [
        RunningNetwork("display", "bond0", 7, bridged=False),
        RunningNetwork("ovirtmgmt", "eno1"),
    ]


def test_a_host_that_never_had_a_network(tmp_path: Path) -> None:
    assert networks.running(tmp_path) == []


def test_what_is_no_network_is_named_and_left_out(
    tmp_path: Path, nets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text('{"nic": "root:$6$hash"}')
    (nets / "good").write_text('{"nic": "eno1"}')
    (nets / "half").write_text('{"nic": "en')
    (nets / "list").write_text("[]")
    (nets / "vlan").write_text('{"nic": "eno1", "vlan": "many"}')
    (nets / "large").write_text('{"nic": "' + "x" * 70000 + '"}')
    (nets / "link").symlink_to(secret)
    (nets / "directory").mkdir()
    os.mkfifo(nets / "fifo")
    assert [network.name for network in networks.running(tmp_path)] == ["good"]
    for name in ("half", "list", "vlan", "large", "link", "directory", "fifo"):
        assert str(tmp_path / "staging/netconf/nets" / name) in caplog.text
    assert "hash" not in caplog.text


@given(st.binary())
def test_any_bytes_are_a_network_or_refused(text: bytes) -> None:
    try:
        network = networks.parse("net", text)
    except ValueError:
        return
    assert network.name == "net"
