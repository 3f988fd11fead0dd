# SPDX-License-Identifier: GPL-2.0-or-later
"""The persistent configuration comes back: at a boot, once, and as much of it as can be."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from supervdsm.network.config import Bond, Configuration, Device, Network
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.state import State
from supervdsm.network.transaction.boot import BootMark
from supervdsm.network.transaction.journal import Record
from supervdsm.network.transaction.restore import Restore
from supervdsm.network.transaction.store import PERSISTENT, RUNNING
from unit.supervdsm.network.transaction.fakes import FakeKernel, Killed, Site, host
from vdsm_contract.errors import DeviceUnavailable, NetworkChangeFailed

PERSISTED = Configuration(
    networks={
        "ovirtmgmt": Network(
            name="ovirtmgmt", nic="eth0", ipaddr="192.0.2.2", netmask="255.255.255.0"
        ),
        "storage": Network(name="storage", bonding="bond0", vlan=100, bridged=False),
        "vms": Network(name="vms", bonding="bond0", vlan=200),
        "lost": Network(name="lost", nic="eth9"),
    },
    bonds={"bond0": Bond(name="bond0", nics=("eth1", "eth2"), options="mode=1")},
    devices={"eth2": Device(name="eth2", numvfs=4)},
)
RESTORED = ["bond0", "ovirtmgmt", "storage", "vms"]
LOST = {"lost": "its NIC eth9 is not there"}


class Host:
    """A host that boots: `site` has its files, and its kernel."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.site = Site.at(directory)
        self.boots = 0
        self.numvfs: list[tuple[str, int]] = []
        self.boot()

    def boot(self, *nics: str) -> None:
        self.boots += 1
        (self.directory / "boot_id").write_text(str(self.boots))
        self.site = Site.at(self.directory, FakeKernel(host(*(nics or ("eth0", "eth1", "eth2")))))

    def set_numvfs(self, name: str, numvfs: int) -> None:
        self.numvfs.append((name, numvfs))

    @property
    def mark(self) -> BootMark:
        return BootMark(self.directory, self.directory / "boot_id")

    @property
    def restore(self) -> Restore:
        return Restore(
            self.site.changer, self.site.recovery, self.mark, self.set_numvfs, nic_seconds=0
        )


@pytest.fixture
def host_with(tmp_path: Path) -> Callable[[Configuration, Configuration], Host]:
    def make(persistent: Configuration, running: Configuration) -> Host:
        made = Host(tmp_path)
        made.site.store.save(PERSISTENT, persistent)
        made.site.store.save(RUNNING, running)
        return made

    return make


HostWith = Callable[[Configuration, Configuration], Host]


def devices(made: Host) -> set[str]:
    return set(made.site.kernel.state.devices)


def test_on_a_fresh_host_nothing_is_read_or_touched(tmp_path: Path) -> None:
    made = Host(tmp_path)

    def never() -> None:
        raise AssertionError("read")

    made.site.kernel.read = never  # type: ignore[assignment,method-assign]
    made.restore.at_boot()
    assert made.mark.restored


def test_a_boot_restores_what_is_persistent(host_with: HostWith) -> None:
    made = host_with(PERSISTED, PERSISTED)
    made.restore.at_boot()
    assert {"ovirtmgmt", "bond0", "bond0.100", "vms"} <= devices(made)
    assert made.numvfs == [("eth2", 4)]
    running = made.site.store.running()
    assert running.networks.keys() | running.bonds.keys() == set(RESTORED)
    assert running.devices == PERSISTED.devices
    assert made.site.store.persistent() == PERSISTED
    assert made.mark.restored


def test_it_does_so_once_in_a_boot(host_with: HostWith) -> None:
    made = host_with(PERSISTED, PERSISTED)
    made.restore.at_boot()
    made.site.kernel.state = host("eth0", "eth1", "eth2")
    made.restore.at_boot()
    assert made.restore.restore(force=False).skipped
    assert devices(made) == {"eth0", "eth1", "eth2"}
    made.boot()
    made.restore.at_boot()
    assert "ovirtmgmt" in devices(made)


def test_the_report_names_what_was_dropped_and_why(host_with: HostWith) -> None:
    report = host_with(PERSISTED, Configuration()).restore.restore(force=True)
    assert (report.skipped, report.restored, report.dropped) == (False, RESTORED, LOST)


def test_a_bond_does_with_the_nics_that_are_left(host_with: HostWith) -> None:
    made = host_with(PERSISTED, PERSISTED)
    made.boot("eth0", "eth2")
    made.restore.at_boot()
    assert made.site.store.running().bonds["bond0"].nics == ("eth2",)
    assert made.site.store.persistent().bonds["bond0"].nics == ("eth1", "eth2")


def test_what_ran_and_is_not_persistent_does_not_come_back(host_with: HostWith) -> None:
    extra = Configuration(networks={"test": Network(name="test", nic="eth2", bridged=False)})
    made = host_with(Configuration(), extra)
    before = made.site.kernel.state
    made.restore.at_boot()
    # Nothing of it is there after a boot: its NIC may be another's by now.
    assert made.site.kernel.state == before
    assert made.site.store.running() == Configuration()


def test_what_runs_and_is_not_persistent_is_removed_on_demand(host_with: HostWith) -> None:
    made = host_with(PERSISTED, Configuration())
    made.restore.at_boot()
    made.site.store.save(PERSISTENT, Configuration(networks={"vms": PERSISTED.networks["vms"]}))
    report = made.restore.restore(force=True)
    assert report.restored == []
    assert report.dropped == {"vms": "its bond bond0 is not there"}
    assert devices(made) == {"eth0", "eth1", "eth2"}
    assert made.site.store.running() == Configuration()


def test_a_network_that_cannot_be_had_does_not_keep_the_others_away(host_with: HostWith) -> None:
    made = host_with(PERSISTED, PERSISTED)
    made.site.kernel.refuse(lambda operation: "bond0.100" in str(operation))
    report = made.restore.restore(force=False)
    assert report.restored == ["bond0", "ovirtmgmt", "vms"]
    assert set(report.dropped) == {"lost", "storage"}
    assert "create VLAN bond0.100" in report.dropped["storage"]
    assert {"ovirtmgmt", "bond0", "vms"} <= devices(made)
    assert "bond0.100" not in devices(made)
    assert set(made.site.store.running().networks) == {"ovirtmgmt", "vms"}


def test_a_network_that_is_not_valid_is_named(host_with: HostWith) -> None:
    wrong = Network(name="wrong", nic="eth0", vlan=5, ipaddr="192.0.2.300", netmask="255.0.0.0")
    made = host_with(Configuration(networks={**PERSISTED.networks, "wrong": wrong}), PERSISTED)
    report = made.restore.restore(force=False)
    assert "wrong" in report.dropped
    assert "ovirtmgmt" in report.restored


def test_virtual_functions_that_cannot_be_made_are_named(host_with: HostWith) -> None:
    made = host_with(PERSISTED, PERSISTED)

    def refuse(name: str, numvfs: int) -> None:
        raise DeviceUnavailable(name, f"has not {numvfs}")

    made.set_numvfs = refuse  # type: ignore[method-assign]
    report = made.restore.restore(force=False)
    assert report.dropped == {**LOST, "eth2": "has not 4"}
    assert report.restored == RESTORED
    assert made.site.store.running().devices == {}


def test_one_that_died_while_it_restored_is_put_back_and_begun_again(host_with: HostWith) -> None:
    made = host_with(PERSISTED, PERSISTED)

    def kill(number: int, _operation: op.Operation) -> None:
        if number == 5:
            # As SIGKILL: nothing of the rest of the process is done.
            made.site.kernel.before = never
            raise Killed

    def never(_number: int, _operation: op.Operation) -> None:
        raise Killed

    made.site.kernel.before = kill
    made.mark.begin()
    with pytest.raises(Killed):
        made.restore._restore(alive=False)
    made.site = made.site.restarted()
    made.site.recovery.at_start(same_boot=made.mark.attempts > 0)
    assert devices(made) == {"eth0", "eth1", "eth2"}
    made.restore.at_boot()
    assert {"ovirtmgmt", "bond0", "bond0.100", "vms"} <= devices(made)


def test_one_that_always_dies_is_given_up(
    host_with: HostWith, caplog: pytest.LogCaptureFixture
) -> None:
    made = host_with(PERSISTED, PERSISTED)
    for _ in range(3):
        made.mark.begin()
    with caplog.at_level(logging.CRITICAL):
        made.restore.at_boot()
    assert "NOT restored" in caplog.text
    assert devices(made) == {"eth0", "eth1", "eth2"}
    assert made.mark.restored


def test_without_a_mark_nothing_is_restored(host_with: HostWith, tmp_path: Path) -> None:
    made = host_with(PERSISTED, PERSISTED)
    restore = Restore(
        made.site.changer,
        made.site.recovery,
        BootMark(tmp_path / "missing", tmp_path / "boot_id"),
        made.set_numvfs,
    )
    restore.at_boot()
    assert devices(made) == {"eth0", "eth1", "eth2"}


def test_by_force_it_takes_the_place_of_a_change_that_cannot_be_ended(
    host_with: HostWith, tmp_path: Path
) -> None:
    made = host_with(PERSISTED, PERSISTED)
    made.restore.at_boot()
    before = State(absent=frozenset({"ovirtmgmt"}))
    made.site.journal.open(Record(method="SetupNetworks", flow_id="", started=0, before=before))
    made.site.kernel.refuse(lambda operation: isinstance(operation, op.DeleteDevice))
    with pytest.raises(NetworkChangeFailed):
        made.site.recovery.settle()
    report = made.restore.restore(force=True)
    assert report.restored == RESTORED
    assert made.site.journal.read() is None
    assert (tmp_path / "supervdsm/network.journal.bad").exists()
