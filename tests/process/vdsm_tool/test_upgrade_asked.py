# SPDX-License-Identifier: GPL-2.0-or-later
"""A real supervdsm changes networks during an upgrade, and the upgrade tells that from damage."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from faults.network_host import NICS, Host, network_host
from process.supervdsm.network.inside import inside
from vdsm_contract import asked
from vdsm_contract.paths import STATE_DIR
from vdsm_tool.host import Host as Tree
from vdsm_tool.upgrade import networks, settled, snapshot
from vdsm_tool.upgrade.snapshot import Missing, Snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")

NETWORKS: dict[str, Any] = {
    "stays": {"nic": "nic0", "ipaddr": "10.0.1.2", "prefix": 24, "gateway": "10.0.1.1"},
    "goes": {"nic": "nic1", "ipaddr": "10.0.2.2", "prefix": 24, "gateway": "10.0.2.1"},
    "changes": {"nic": "nic2", "mtu": 1400},
}


def no_command(_command: object) -> str:
    raise AssertionError("no command is needed")


@dataclass
class Upgrade:
    """The upgrade's part: it notes what there is, and compares."""

    host: Host
    before: list[str] = field(default_factory=list)

    @property
    def _path(self) -> Path:
        return self.host.directory / "run" / asked.FILE_NAME

    def begin(self) -> None:
        asked.begin(self._path)
        self.before = self._lines()

    def compare(self) -> tuple[Missing, list[str]]:
        """Return what is missing, and what is left to do for networks that were to change."""
        wanted = asked.read(self._path)
        before, after = Snapshot([], self.before), Snapshot([], self._lines())
        tree = Tree(self.host.directory / "tree", Path("/proc"), no_command)
        left = settled.undone(wanted.devices, before, after, tree)
        return snapshot.missing(before, after, wanted), left

    def _lines(self) -> list[str]:
        with inside(self.host.namespace) as call:
            return sorted(networks.lines(call(networks.read), NICS))


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upgrade]:
    with network_host() as host:
        host.start()
        host.setup(NETWORKS)
        state = host.directory / "tree" / STATE_DIR.relative_to("/")
        state.parent.mkdir(parents=True)
        state.symlink_to(host.directory / "state")
        monkeypatch.setattr(settled, "SUPERVDSM_SOCKET", host.directory / "svdsm.sock")
        made = Upgrade(host)
        made.begin()
        yield made


def test_networks_that_were_removed_changed_and_made_as_asked_are_no_loss(
    upgrade: Upgrade,
) -> None:
    upgrade.host.setup(
        {
            "goes": {"remove": True},
            "changes": {"nic": "nic3", "mtu": 1300, "bridged": False},
            "comes": {"nic": "nic4"},
        }
    )
    found, undone = upgrade.compare()
    assert (found.lost, undone) == ([], [])
    assert any("link goes" in line for line in found.networks)
    assert any("rule" in line for line in found.networks)


def test_what_else_is_lost_meanwhile_is_still_told(upgrade: Upgrade) -> None:
    upgrade.host.setup({"goes": {"remove": True}})
    upgrade.host.ip("link del stays")
    found, _undone = upgrade.compare()
    assert any(line.startswith("The link stays: bridge") for line in found.lost)
    assert any("10.0.1.2/24" in line for line in found.lost)
    assert not any("goes" in line for line in found.lost)


def test_a_network_that_was_changed_as_asked_and_is_lost_then_is_told(upgrade: Upgrade) -> None:
    upgrade.host.setup({"changes": {"nic": "nic2", "mtu": 1300}})
    assert upgrade.compare()[1] == []
    upgrade.host.ip("link del changes")
    found, undone = upgrade.compare()
    assert found.lost == []
    assert any("changes" in line for line in undone), undone


def test_a_change_that_failed_has_lost_nothing(
    upgrade: Upgrade,
) -> None:
    error = upgrade.host.begin_setup({"goes": {"remove": True}}, connectivityTimeout=1)()
    assert error is not None
    found, undone = upgrade.compare()
    assert (found.lost, found.networks, undone) == ([], [], [])


def test_a_request_for_what_is_there_excuses_nothing(upgrade: Upgrade) -> None:
    upgrade.host.setup(NETWORKS)
    upgrade.host.ip("link del changes")
    found, undone = upgrade.compare()
    assert any(line.startswith("The link changes: bridge") for line in found.lost)
    assert (found.networks, undone) == ([], [])


def test_the_end_of_a_mirroring_excuses_the_loss_of_nothing_else(upgrade: Upgrade) -> None:
    upgrade.host.ip("link set nic6 up")
    with upgrade.host.client() as client:
        client.network.set_port_mirroring("stays", "nic6")
        upgrade.begin()
        client.network.unset_port_mirroring("stays", "nic6")
    upgrade.host.ip("addr del 10.0.1.2/24 dev stays")
    found, _undone = upgrade.compare()
    assert any("10.0.1.2/24 on stays" in line for line in found.lost)
    assert found.networks == ["The shaping on stays: clsact ffff: is gone"]


def test_a_foreign_port_of_a_bridge_that_changes_is_not_excused(upgrade: Upgrade) -> None:
    upgrade.host.ip("link set nic5 master changes up")
    upgrade.begin()
    upgrade.host.setup({"changes": {"nic": "nic2", "mtu": 1300}})
    assert upgrade.compare()[0].lost == []
    upgrade.host.ip("link set nic5 nomaster")
    assert any("link nic5" in line for line in upgrade.compare()[0].lost)


def test_a_foreign_port_of_a_bridge_that_is_removed_is_excused(upgrade: Upgrade) -> None:
    upgrade.host.ip("link set nic5 master goes up")
    upgrade.begin()
    upgrade.host.setup({"goes": {"remove": True}})
    found, undone = upgrade.compare()
    assert (found.lost, undone) == ([], [])
    assert any("link nic5" in line for line in found.networks)
