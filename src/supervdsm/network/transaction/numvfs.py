# SPDX-License-Identifier: GPL-2.0-or-later
"""Change the number of a NIC's virtual functions, now and for every boot (upstream-vdsm 3.6)."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from supervdsm.network.apply import numvfs
from supervdsm.network.config import Device
from supervdsm.network.transaction.recover import Recovery
from supervdsm.network.transaction.store import PERSISTENT, RUNNING, Store, Which
from vdsm_contract import asked
from vdsm_contract.errors import NetworkChangeFailed

_BOTH: Final[tuple[Which, ...]] = (PERSISTENT, RUNNING)


def change(
    sysfs: Path,
    store: Store,
    recovery: Recovery,
    pci_path: str,
    number: int,
    *,
    noted: Path = asked.PATH,
) -> None:
    """Give the NIC at `pci_path` a number of virtual functions, and keep it in both configurations.

    A change of networks that was cut off is ended first: it has a configuration at hand that does
    not know of this one. `noted` is where an upgrade reads what was asked for.

    Raises InvalidArgument, DeviceUnavailable, NetworkConfigError and NetworkChangeFailed.
    """
    function = numvfs.at_address(sysfs, pci_path)
    recovery.settle()
    touched = [] if function.number == number else [function.nic, *function.nics]
    with asked.noted(noted, devices=touched):
        numvfs.change(function, number)
    device = Device(name=function.nic, numvfs=number)
    try:
        for which in _BOTH:
            stored = store.load(which)
            if stored.devices.get(device.name) != device:
                devices = {**stored.devices, device.name: device}
                store.save(which, replace(stored, devices=devices))
    except (OSError, ValueError) as error:
        raise NetworkChangeFailed(
            operation=f"keep the number of virtual functions of {function.nic}",
            errno=getattr(error, "errno", None) or 0,
            reason=str(error),
            rolledBack=False,
        ) from error
