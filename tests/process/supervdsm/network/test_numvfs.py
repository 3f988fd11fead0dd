# SPDX-License-Identifier: GPL-2.0-or-later
"""The verb ChangeNumvfs, from the room down to files that stand for sysfs and to oVirt's own."""

import json
from pathlib import Path
from typing import Final

import pytest

from supervdsm.network.room import NetworkRoom
from supervdsm.network.transaction.store import Store
from vdsm_contract.errors import DeviceUnavailable, NetworkConfigError

ADDRESS: Final = "0000:03:00.0"


@pytest.fixture
def room(tmp_path: Path) -> NetworkRoom:
    device = tmp_path / "sys/bus/pci/devices" / ADDRESS
    (device / "net/eth7").mkdir(parents=True)
    (device / "sriov_totalvfs").write_text("4\n")
    (device / "sriov_numvfs").write_text("0\n")
    # The kernel makes them while the number is written; here they are there before.
    for number in range(4):
        (device / f"virtfn{number}").mkdir()
    return NetworkRoom(
        sysfs=tmp_path / "sys",
        host_root=tmp_path / "host",
        state_dir=tmp_path / "lib",
        run_dir=tmp_path / "run",
    )


def number(tmp_path: Path) -> str:
    return (tmp_path / "sys/bus/pci/devices" / ADDRESS / "sriov_numvfs").read_text()


def stored(tmp_path: Path) -> list[object]:
    files = [
        tmp_path / "lib" / which / "netconf/devices/eth7" for which in ("staging", "persistence")
    ]
    return [json.loads(file.read_text()) if file.exists() else None for file in files]


def test_the_number_is_set_and_kept_in_both_configurations(
    room: NetworkRoom, tmp_path: Path
) -> None:
    room.change_numvfs(ADDRESS, 3)
    assert number(tmp_path) == "3\n"
    assert stored(tmp_path) == [{"sriov": {"numvfs": 3}}] * 2
    room.change_numvfs(ADDRESS, 0)
    assert number(tmp_path) == "0\n"
    assert stored(tmp_path) == [{"sriov": {"numvfs": 0}}] * 2


def test_networks_that_are_stored_stay(room: NetworkRoom, tmp_path: Path) -> None:
    network = tmp_path / "lib/persistence/netconf/nets/red"
    network.parent.mkdir(parents=True)
    network.write_text(json.dumps({"nic": "eth1", "bridged": True, "switch": "legacy"}))
    room.change_numvfs(ADDRESS, 2)
    store = Store(tmp_path / "lib")
    assert set(store.persistent().networks) == {"red"}
    assert store.persistent().devices["eth7"].numvfs == 2
    assert set(store.running().networks) == set()


def test_what_is_refused_is_not_kept(room: NetworkRoom, tmp_path: Path) -> None:
    with pytest.raises(NetworkConfigError):
        room.change_numvfs(ADDRESS, 5)
    with pytest.raises(DeviceUnavailable):
        room.change_numvfs("0000:03:00.1", 1)
    assert number(tmp_path) == "0\n"
    assert stored(tmp_path) == [None, None]


def test_a_number_that_is_there_but_was_not_kept_is_kept(room: NetworkRoom, tmp_path: Path) -> None:
    """The call before was cut off between the kernel and the files."""
    (tmp_path / "sys/bus/pci/devices" / ADDRESS / "sriov_numvfs").write_text("3\n")
    room.change_numvfs(ADDRESS, 3)
    assert stored(tmp_path) == [{"sriov": {"numvfs": 3}}] * 2
