# SPDX-License-Identifier: GPL-2.0-or-later
"""DMI: oVirt's names for the kernel's files."""

from pathlib import Path

import pytest

from supervdsm.host import dmi
from vdsm_contract.errors import HardwareUnavailable
from vdsm_contract.types import HardwareInfo


def fake_sysfs(root: Path, fields: dict[str, bytes]) -> None:
    directory = root / "class/dmi/id"
    directory.mkdir(parents=True)
    for name, value in fields.items():
        (directory / name).write_bytes(value)


def test_every_field_has_its_name(tmp_path: Path) -> None:
    fake_sysfs(
        tmp_path,
        {
            "product_name": b"PowerEdge R650\n",
            "product_uuid": b"4c4c4544-0038-3610-8052-b7c04f4b3633\n",
            "sys_vendor": b"Dell Inc.\n",
            "product_version": b"Not Specified\n",
            "product_family": b"PowerEdge \xff\n",
            "product_serial": b"  8R6K63 \n",
        },
    )
    assert dmi.hardware_info(tmp_path) == HardwareInfo(
        systemProductName="PowerEdge R650",
        systemUUID="4C4C4544-0038-3610-8052-B7C04F4B3633",
        systemManufacturer="Dell Inc.",
        systemVersion="Not Specified",
        systemFamily="PowerEdge \ufffd",
        systemSerialNumber="8R6K63",
    )


def test_an_empty_field_is_left_out(tmp_path: Path) -> None:
    fake_sysfs(tmp_path, {"product_name": b"VM\n", "product_serial": b"\n"})
    assert dmi.hardware_info(tmp_path) == HardwareInfo(systemProductName="VM")


def test_a_machine_without_dmi_says_so(tmp_path: Path) -> None:
    with pytest.raises(HardwareUnavailable, match="DMI"):
        dmi.hardware_info(tmp_path)


def test_a_machine_with_empty_dmi_says_so(tmp_path: Path) -> None:
    fake_sysfs(tmp_path, {"product_name": b"\n"})
    with pytest.raises(HardwareUnavailable):
        dmi.hardware_info(tmp_path)
