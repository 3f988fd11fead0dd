# SPDX-License-Identifier: GPL-2.0-or-later
"""Sysctls and options in directories that stand for proc and sysfs."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervdsm.network.apply.device_files import DeviceFiles
from supervdsm.network.plan.state import Ipv6

SYSCTLS = ("accept_ra", "accept_ra_defrtr", "autoconf", "disable_ipv6")
ON = Ipv6(disabled=False, accept_ra=2, autoconf=True, defrtr=False)
OFF = Ipv6(disabled=True, accept_ra=0, autoconf=False)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Make the directory of sysctls of a device `eth0.1`, and one of options of a bridge `br`."""
    device = tmp_path / "proc/sys/net/ipv6/conf/eth0.1"
    device.mkdir(parents=True)
    for name in SYSCTLS:
        (device / name).touch()
    bridge = tmp_path / "sys/class/net/br/bridge"
    bridge.mkdir(parents=True)
    (bridge / "flush").touch()
    return device


@pytest.fixture
def files(tmp_path: Path, conf: Path) -> Iterator[DeviceFiles]:
    with DeviceFiles(tmp_path / "proc", tmp_path / "sys") as opened:
        yield opened


def values(conf: Path) -> list[str]:
    return [(conf / name).read_text() for name in SYSCTLS]


def test_ipv6_is_set_by_four_sysctls(files: DeviceFiles, conf: Path) -> None:
    files.set_ipv6("eth0.1", ON)
    assert values(conf) == ["2", "0", "1", "0"]
    files.set_ipv6("eth0.1", OFF)
    assert values(conf) == ["0", "1", "0", "1"]


@pytest.mark.parametrize(("ipv6", "place"), [(ON, -1), (OFF, 0)])
def test_ipv6_is_off_while_the_rest_changes(
    files: DeviceFiles, conf: Path, monkeypatch: pytest.MonkeyPatch, ipv6: Ipv6, place: int
) -> None:
    written: list[str] = []

    def write(directory: int, path: str, value: str) -> None:
        written.append(path)

    monkeypatch.setattr("supervdsm.network.apply.device_files._write", write)
    files.set_ipv6("eth0.1", ipv6)
    assert written[place] == "eth0.1/disable_ipv6"


def test_a_device_without_ipv6_has_it_off_already_and_cannot_have_it_on(files: DeviceFiles) -> None:
    files.set_ipv6("eth1", OFF)
    with pytest.raises(OSError, match="MTU") as refused:
        files.set_ipv6("eth1", ON)
    assert refused.value.errno == errno.ENOENT


def test_an_option_is_written_to_the_file_of_its_name(files: DeviceFiles, tmp_path: Path) -> None:
    files.set_option("br", "bridge", "flush", "1")
    assert (tmp_path / "sys/class/net/br/bridge/flush").read_text() == "1"


def test_an_option_that_the_kernel_does_not_have_is_not_made(
    files: DeviceFiles, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        files.set_option("br", "bridge", "new", "1")
    assert not (tmp_path / "sys/class/net/br/bridge/new").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b", "../br"])
def test_a_name_is_no_way_out(files: DeviceFiles, name: str) -> None:
    paths = (name, "flush"), ("br", name)
    for device, option in paths:
        with pytest.raises(OSError, match="not the name of a file") as refused:
            files.set_option(device, "bridge", option, "1")
        assert refused.value.errno == errno.EINVAL
    with pytest.raises(OSError, match="not the name of a file"):
        files.set_ipv6(name, OFF)
