# SPDX-License-Identifier: GPL-2.0-or-later
"""What sysfs says of a device, also of one that has just gone."""

from pathlib import Path

import pytest

from supervdsm.network.kernel.sysfs import ClassNet, DeviceVanished


@pytest.fixture
def device(tmp_path: Path) -> Path:
    directory = tmp_path / "class/net/eno1"
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize(
    ("text", "speed"),
    [("10000\n", 10000), ("-1\n", 0), ("65535\n", 0), ("4294967295\n", 0), ("", 0), ("fast", 0)],
)
def test_speed(tmp_path: Path, device: Path, text: str, speed: int) -> None:
    (device / "speed").write_text(text)
    assert ClassNet(tmp_path).speed("eno1") == speed


def test_a_device_that_has_gone(tmp_path: Path) -> None:
    files = ClassNet(tmp_path)
    with pytest.raises(DeviceVanished):
        files.speed("eno9")
    with pytest.raises(DeviceVanished):
        files.duplex("eno9")
