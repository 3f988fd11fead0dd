# SPDX-License-Identifier: GPL-2.0-or-later
"""Which networks are looked at once more because a change during the upgrade touched them."""

import json
from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.net.stored import Attributes, Configuration
from vdsm_tool.upgrade import settled

RUNNING: Configuration = {
    ("network", "red"): {"nic": "eth0", "mtu": 9000},
    ("network", "tagged"): {"bonding": "bond0", "vlan": 7},
    ("network", "alone"): {},
    ("bond", "bond0"): {"nics": ["eth1", "eth2"], "options": "mode=4"},
    ("device", "eth0"): {"numvfs": 4},
}


@pytest.mark.parametrize(
    ("device", "networks", "bonds"),
    [
        ("red", {"red"}, set()),
        ("eth0", {"red"}, set()),
        ("bond0", {"tagged"}, {"bond0"}),
        ("eth2", set(), {"bond0"}),
        ("alone", {"alone"}, set()),
        ("eth9", set(), set()),
    ],
)
def test_networks_and_bonds_that_have_the_device(
    device: str, networks: set[str], bonds: set[str]
) -> None:
    found: tuple[dict[str, Attributes], dict[str, Attributes]] = settled.concerned(
        {device}, RUNNING
    )
    assert (set(found[0]), set(found[1])) == (networks, bonds)


def test_of_devices_that_no_network_has_any_more_nothing_is_left_to_do(host: Host) -> None:
    assert settled.undone({"eth9"}, host) == []


def test_a_supervdsm_that_cannot_be_asked_is_no_good_news(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nets = host.path("/var/lib/vdsm/staging/netconf/nets")
    nets.mkdir(parents=True)
    (nets / "red").write_text(json.dumps({"nic": "eth0"}))
    monkeypatch.setattr(settled, "SUPERVDSM_SOCKET", tmp_path / "none.sock")
    with pytest.raises(ToolError, match="there is no socket"):
        settled.undone({"eth0"}, host)
