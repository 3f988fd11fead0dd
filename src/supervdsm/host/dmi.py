# SPDX-License-Identifier: GPL-2.0-or-later
"""What the firmware tells of the machine (SMBIOS type 1), as the kernel decoded it.

Source: /sys/class/dmi/id, made by drivers/firmware/dmi-id.c. Serial number and UUID
are readable for root only.
"""

import errno
import logging
from pathlib import Path

from vdsm_contract.errors import HardwareUnavailable
from vdsm_contract.types import HardwareInfo

_log = logging.getLogger(__name__)


def hardware_info(sysfs: Path) -> HardwareInfo:
    """Read the machine's names and numbers; a field that the firmware leaves empty is left out.

    The UUID is in capitals, as upstream's dmidecode writes it. Raises HardwareUnavailable when
    there is not one field, as on machines without SMBIOS.
    """
    directory = sysfs / "class/dmi/id"
    found = HardwareInfo()
    if text := _field(directory / "product_name"):
        found.systemProductName = text
    if text := _field(directory / "product_uuid"):
        found.systemUUID = text.upper()
    if text := _field(directory / "sys_vendor"):
        found.systemManufacturer = text
    if text := _field(directory / "product_version"):
        found.systemVersion = text
    if text := _field(directory / "product_family"):
        found.systemFamily = text
    if text := _field(directory / "product_serial"):
        found.systemSerialNumber = text
    if found == HardwareInfo():
        raise HardwareUnavailable(reason=f"{directory}: the firmware offers no DMI information")
    return found


def _field(file: Path) -> str:
    """Return the text of a field, empty when it is missing."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError as error:
        # ENXIO: the field exists in sysfs, but not in the firmware's table.
        if error.errno not in {errno.ENOENT, errno.ENXIO}:
            _log.warning("DMI field left out: %s", error)
        return ""
