# SPDX-License-Identifier: GPL-2.0-or-later
"""SR-IOV: how many virtual functions a NIC has.

Source: Documentation/PCI/pci-iov-howto.rst, Documentation/ABI/testing/sysfs-bus-pci
(`sriov_numvfs`, `sriov_totalvfs`). The kernel changes a number that is not 0 only to 0, and then to
another one: each virtual function goes away and comes back. It refuses while a VM has one.
"""

import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervdsm.network.request.refusal import Code, refusal
from vdsm_contract.errors import (
    DeviceUnavailable,
    InvalidArgument,
    NetworkChangeFailed,
    NetworkConfigError,
)

_log: Final = logging.getLogger(__name__)

_ADDRESS: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.ASCII)
_PCI_DEVICES: Final = "bus/pci/devices"
_CLASS_NET: Final = "class/net"
UDEV_QUEUE: Final = Path("/run/udev/queue")
"""It is there while udev has devices to name (udevadm(8), settle)."""
SECONDS: Final = 30.0
"""How long virtual functions may take to appear."""
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class PhysicalFunction:
    """A PCI device with virtual functions. `directory` is its directory in sysfs."""

    address: str
    directory: Path
    nic: str
    """Its network device."""

    @property
    def most(self) -> int:
        """How many virtual functions it can have. Raises DeviceUnavailable."""
        return self._read("sriov_totalvfs")

    @property
    def number(self) -> int:
        """How many virtual functions it has. Raises DeviceUnavailable."""
        return self._read("sriov_numvfs")

    def write(self, number: int) -> None:
        """Change the number, from 0 or to 0. Raises OSError."""
        fd = os.open(self.directory / "sriov_numvfs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, f"{number}\n".encode())
        finally:
            os.close(fd)

    @property
    def nics(self) -> list[str]:
        """The names of its virtual functions' network devices."""
        return sorted(path.name for path in self.directory.glob("virtfn*/net/*"))

    def complete(self, number: int) -> bool:
        """Tell whether all of `number` virtual functions are devices."""
        return all((self.directory / f"virtfn{one}").exists() for one in range(number))

    def _read(self, file: str) -> int:
        try:
            return int((self.directory / file).read_text())
        except FileNotFoundError:
            raise DeviceUnavailable(self.address, "has no virtual functions (SR-IOV)") from None
        except (OSError, ValueError) as error:
            raise DeviceUnavailable(self.address, f"{file}: {error}") from error


def at_address(sysfs: Path, pci_path: str) -> PhysicalFunction:
    """Return the NIC at a PCI address, such as 0000:03:00.0.

    Raises InvalidArgument and DeviceUnavailable.
    """
    if _ADDRESS.fullmatch(pci_path) is None:
        raise InvalidArgument("pciPath", "is not the address of a PCI device, as in 0000:03:00.0")
    directory = sysfs / _PCI_DEVICES / pci_path
    if not directory.exists():
        raise DeviceUnavailable(pci_path, "there is no such PCI device")
    return PhysicalFunction(pci_path, directory, _nic(directory, pci_path))


def of_nic(sysfs: Path, nic: str) -> PhysicalFunction:
    """Return a NIC by the name of its network device. Raises DeviceUnavailable."""
    if not nic or "/" in nic or nic in {".", ".."}:
        raise DeviceUnavailable(nic, "is not the name of a NIC")
    try:
        address = (sysfs / _CLASS_NET / nic / "device").readlink().name
    except OSError:
        raise DeviceUnavailable(nic, "is not there, or is not a PCI device") from None
    if _ADDRESS.fullmatch(address) is None:
        raise DeviceUnavailable(nic, "is not a PCI device")
    return PhysicalFunction(address, sysfs / _PCI_DEVICES / address, nic)


def change(
    function: PhysicalFunction,
    number: int,
    *,
    limit: float = SECONDS,
    udev_queue: Path = UDEV_QUEUE,
) -> None:
    """Give a NIC `number` virtual functions, and wait for them, `limit` seconds at most.

    Raises DeviceUnavailable; NetworkConfigError when it cannot have so many; and
    NetworkChangeFailed, after which it has as many as before if the kernel lets it.
    """
    most, before = function.most, function.number
    if not 0 <= number <= most:
        reason = f"must be 0 to {most}, which is all that {function.nic} can have"
        raise refusal(Code.BAD_PARAMS, "numvfs", reason)
    if number == before:
        return
    try:
        if before and number:
            function.write(0)
        function.write(number)
    except OSError as error:
        raise _failed(function, number, error, rolled_back=_put_back(function, before)) from error
    _await(function, number, time.monotonic() + limit, udev_queue)


def restore(function: PhysicalFunction, number: int) -> None:
    """Do the same, where one NIC that fails must not keep others from theirs.

    Raises only DeviceUnavailable.
    """
    try:
        change(function, number)
    except (NetworkConfigError, NetworkChangeFailed) as error:
        raise DeviceUnavailable(function.nic, str(error)) from error


def _nic(directory: Path, address: str) -> str:
    """Return the first of a PCI device's network devices: an adapter may have one for each port."""
    try:
        names = sorted(path.name for path in (directory / "net").iterdir())
    except OSError:
        names = []
    if not names:
        raise DeviceUnavailable(address, "is not a NIC, or has no driver")
    return names[0]


def _put_back(function: PhysicalFunction, before: int) -> bool:
    try:
        if function.number != before:
            function.write(before)
    except (OSError, DeviceUnavailable) as error:
        _log.error("%s does not get its %d virtual functions back: %s", function.nic, before, error)
        return False
    return True


def _await(function: PhysicalFunction, number: int, deadline: float, udev_queue: Path) -> None:
    """Wait until the virtual functions are devices, and udev has named theirs.

    The kernel has made them when the number is written; their drivers may come later, by udev.
    """
    while True:
        # udev is given a moment to see that there is something to do.
        time.sleep(_POLL_SECONDS)
        complete = function.complete(number)
        if complete and not udev_queue.exists():
            return
        if time.monotonic() < deadline:
            continue
        if complete:
            _log.warning("udev still names the virtual functions of %s", function.nic)
            return
        error = TimeoutError(0, "not all of them appeared")
        raise _failed(function, number, error, rolled_back=False)


def _failed(
    function: PhysicalFunction, number: int, error: OSError, *, rolled_back: bool
) -> NetworkChangeFailed:
    return NetworkChangeFailed(
        operation=f"give {function.nic} ({function.address}) {number} virtual functions",
        errno=error.errno or 0,
        reason=error.strerror or str(error),
        rolledBack=rolled_back,
    )
