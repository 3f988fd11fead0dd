# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual functions in a tree like sysfs; the kernel's part is played by `FakeFunction`."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from supervdsm.network.apply import numvfs
from supervdsm.network.apply.numvfs import PhysicalFunction
from vdsm_contract.errors import (
    DeviceUnavailable,
    InvalidArgument,
    NetworkChangeFailed,
    NetworkConfigError,
)

ADDRESS: Final = "0000:03:00.0"
PCI: Final = "devices/pci0000:00/0000:00:1c.0"


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A NIC with virtual functions, one without, and a disk."""
    device = tmp_path / PCI / ADDRESS
    for name in ("eth0", "eth0a"):
        (device / "net" / name).mkdir(parents=True)
    (device / "sriov_totalvfs").write_text("7\n")
    (device / "sriov_numvfs").write_text("0\n")
    (tmp_path / PCI / "0000:04:00.0/net/eth1").mkdir(parents=True)
    (tmp_path / PCI / "0000:05:00.0").mkdir(parents=True)
    (tmp_path / "devices/virtual/net/br0").mkdir(parents=True)
    devices = tmp_path / "bus/pci/devices"
    classes = tmp_path / "class/net"
    devices.mkdir(parents=True)
    classes.mkdir(parents=True)
    for found in (tmp_path / PCI).iterdir():
        (devices / found.name).symlink_to(found)
        for nic in (found / "net").glob("*"):
            (nic / "device").symlink_to(found)
            (classes / nic.name).symlink_to(nic)
    (classes / "br0").symlink_to(tmp_path / "devices/virtual/net/br0")
    return tmp_path


@dataclass(frozen=True, slots=True)
class FakeFunction(PhysicalFunction):
    """The kernel's part: a number that is not 0 becomes only 0."""

    written: list[int] = field(default_factory=list)
    refuses: frozenset[int] = frozenset()

    def write(self, number: int) -> None:
        self.written.append(number)
        if number in self.refuses:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        if number and self.number:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        PhysicalFunction.write(self, number)
        for link in self.directory.glob("virtfn*"):
            link.unlink()
        for one in range(number):
            (self.directory / f"virtfn{one}").symlink_to(self.directory)


def function(sysfs: Path, *refuses: int) -> FakeFunction:
    found = numvfs.at_address(sysfs, ADDRESS)
    return FakeFunction(found.address, found.directory, found.nic, refuses=frozenset(refuses))


def change(found: FakeFunction, number: int) -> None:
    numvfs.change(found, number, limit=0.2, udev_queue=found.directory / "queue")


def test_the_devices_of_its_virtual_functions_have_names(sysfs: Path) -> None:
    found = function(sysfs)
    assert found.nics == []
    for number, nic in enumerate(("eth0v1", "eth0v0")):
        net = found.directory / f"../0000:03:10.{number}/net"
        (net / nic).mkdir(parents=True)
        (found.directory / f"virtfn{number}").symlink_to(net.parent.resolve())
    assert found.nics == ["eth0v0", "eth0v1"]


def test_a_nic_is_found_by_its_address_and_by_its_name(sysfs: Path) -> None:
    found = numvfs.at_address(sysfs, ADDRESS)
    assert (found.nic, found.number, found.most) == ("eth0", 0, 7)
    again = numvfs.of_nic(sysfs, "eth0")
    assert (again.address, again.nic, again.number) == (ADDRESS, "eth0", 0)


def test_a_number_is_reached_by_way_of_0(sysfs: Path) -> None:
    found = function(sysfs)
    change(found, 4)
    change(found, 2)
    change(found, 0)
    assert found.written == [4, 0, 2, 0]
    assert found.number == 0


def test_the_number_that_is_there_is_not_written_again(sysfs: Path) -> None:
    found = function(sysfs)
    change(found, 4)
    change(found, 4)
    assert found.written == [4]


@pytest.mark.parametrize("number", [-1, 8, 2**40])
def test_a_number_that_cannot_be_is_refused(sysfs: Path, number: int) -> None:
    found = function(sysfs)
    with pytest.raises(NetworkConfigError) as refused:
        change(found, number)
    assert (refused.value.errCode, refused.value.field) == (21, "numvfs")
    assert found.written == []


def test_a_number_that_the_kernel_refuses_leaves_the_one_before(sysfs: Path) -> None:
    found = function(sysfs, 5)
    change(found, 2)
    with pytest.raises(NetworkChangeFailed) as failed:
        change(found, 5)
    assert (failed.value.errno, failed.value.rolledBack) == (errno.ENOMEM, True)
    assert "eth0 (0000:03:00.0) 5" in failed.value.operation
    assert found.number == 2


def test_virtual_functions_in_use_stay(sysfs: Path) -> None:
    """The driver does not take them from a VM."""
    found = function(sysfs, 0)
    change(found, 2)
    with pytest.raises(NetworkChangeFailed) as failed:
        change(found, 3)
    assert failed.value.rolledBack
    assert found.number == 2


def test_it_is_said_when_they_do_not_come_back(sysfs: Path) -> None:
    found = function(sysfs, 5)
    change(found, 2)
    broken = FakeFunction(found.address, found.directory, found.nic, refuses=frozenset({5, 2}))
    with pytest.raises(NetworkChangeFailed) as failed:
        change(broken, 5)
    assert not failed.value.rolledBack


def test_a_udev_that_is_busy_for_ever_does_not_hold_it(sysfs: Path) -> None:
    found = function(sysfs)
    (found.directory / "queue").touch()
    change(found, 3)
    assert found.number == 3


def test_virtual_functions_that_never_appear_are_an_error(sysfs: Path) -> None:
    found = numvfs.at_address(sysfs, ADDRESS)
    with pytest.raises(NetworkChangeFailed, match="appeared"):
        numvfs.change(found, 3, limit=0.2)


def test_a_restore_knows_one_error_only(sysfs: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="must be 0 to 7") as refused:
        numvfs.restore(function(sysfs), 9)
    assert refused.value.device == "eth0"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "03:00.0",
        "0000:03:00.8",
        "0000:03:20.0",
        "0000:03:00.0/../0000:04:00.0",
        "../../../etc",
        "0000:03:00.0\n",
        "\u0660000:03:00.0",
        "pci_0000_03_00_0",
    ],
)
def test_only_an_address_is_taken_for_one(sysfs: Path, address: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        numvfs.at_address(sysfs, address)
    assert refused.value.field == "pciPath"


@pytest.mark.parametrize(
    ("address", "says"), [("0000:05:00.0", "is not a NIC"), ("0000:06:00.0", "no such PCI")]
)
def test_what_is_no_nic_is_named(sysfs: Path, address: str, says: str) -> None:
    with pytest.raises(DeviceUnavailable, match=says) as refused:
        numvfs.at_address(sysfs, address)
    assert refused.value.device == address


@pytest.mark.parametrize("nic", ["", ".", "..", "a/b", "gone", "br0"])
def test_a_name_that_is_no_nic_s_is_refused(sysfs: Path, nic: str) -> None:
    with pytest.raises(DeviceUnavailable):
        numvfs.of_nic(sysfs, nic)


def test_a_nic_without_virtual_functions_is_named(sysfs: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="SR-IOV"):
        numvfs.change(numvfs.of_nic(sysfs, "eth1"), 1)
