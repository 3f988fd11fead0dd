# SPDX-License-Identifier: GPL-2.0-or-later
"""How the stored configurations differ."""

from pathlib import Path

import pytest

from vdsm_tool.net.stored import Difference, differences, running_networks

RED = '{"nic": "eth1", "mtu": 1500, "vlan": 5}'


def write(state: Path, **files: str) -> Path:
    """Write `staging__nets__red="{…}"` and the like, each kind behind its link."""
    for name, content in files.items():
        which, kind, entity = name.split("__")
        path = state / which / "netconf.AbCdEfGh" / kind / entity
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        link = state / which / "netconf"
        if not link.is_symlink():
            link.symlink_to("netconf.AbCdEfGh")
    return state


def test_a_host_without_configuration(tmp_path: Path) -> None:
    assert differences(tmp_path) == []
    assert running_networks(tmp_path) == []


def test_order_and_blanks_are_no_difference(tmp_path: Path) -> None:
    write(
        tmp_path,
        staging__nets__red=RED,
        persistence__nets__red='{"vlan":5,"mtu":1500,"nic":"eth1"}',
    )
    assert differences(tmp_path) == []
    assert running_networks(tmp_path) == ["red"]


@pytest.mark.parametrize(
    ("files", "difference", "text"),
    [
        (
            {"staging__nets__red": RED},
            Difference("network", "red", {"nic": "eth1", "mtu": 1500, "vlan": 5}, None),
            "not persistent, a boot forgets it",
        ),
        (
            {"persistence__bonds__bond0": '{"nics": ["eth0"]}'},
            Difference("bond", "bond0", None, {"nics": ["eth0"]}),
            "does not run, a boot brings it",
        ),
        (
            {
                "staging__nets__red": RED,
                "persistence__nets__red": '{"nic": "eth1", "mtu": 9000, "stp": true}',
            },
            Difference("network", "red", {"mtu": 1500, "vlan": 5}, {"mtu": 9000, "stp": True}),
            "mtu 1500, after a boot 9000; stp unset, after a boot true; vlan 5, after a boot unset",
        ),
        (
            {"staging__devices__eth0": "{", "persistence__devices__eth0": '{"sriov": {}}'},
            Difference("device", "eth0", {"unreadable": "eth0"}, {"sriov": {}}),
            "sriov unset, after a boot {}; unreadable eth0, after a boot unset",
        ),
    ],
)
def test_what_a_boot_would_change(
    tmp_path: Path, files: dict[str, str], difference: Difference, text: str
) -> None:
    assert differences(write(tmp_path, **files)) == [difference]
    assert str(difference) == text
