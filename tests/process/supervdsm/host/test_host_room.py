# SPDX-License-Identifier: GPL-2.0-or-later
"""The host room against this machine's own kernel; what a test changes, it puts back."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervdsm.host import HostRoom
from vdsm_contract.errors import HardwareUnavailable, KernelSettingFailed
from vdsm_contract.types import KsmTuning

KSM = Path("/sys/kernel/mm/ksm")
KSM_SETTINGS = ("run", "merge_across_nodes", "sleep_millisecs", "pages_to_scan")
POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
VULNERABILITIES = Path("/sys/devices/system/cpu/vulnerabilities")


@pytest.fixture
def room() -> HostRoom:
    return HostRoom(host_root=Path("/"))


@pytest.fixture
def ksm_before() -> Iterator[dict[str, int]]:
    """The settings of KSM, put back after the test."""
    if not KSM.is_dir():
        pytest.skip("this kernel has no KSM")
    before = ksm_now()
    yield before
    for name in ("merge_across_nodes", "sleep_millisecs", "pages_to_scan", "run"):
        if ksm_now()[name] != before[name]:
            (KSM / name).write_text(str(before[name]))


def ksm_now() -> dict[str, int]:
    return {name: int((KSM / name).read_text()) for name in KSM_SETTINGS}


def test_ksm_takes_the_settings(room: HostRoom, ksm_before: dict[str, int]) -> None:
    room.ksm_tune(KsmTuning(sleep_millisecs=4321, pages_to_scan=77, merge_across_nodes=0, run=2))
    assert ksm_now() == {
        "run": 2,
        "merge_across_nodes": 0,
        "sleep_millisecs": 4321,
        "pages_to_scan": 77,
    }


def test_what_the_kernel_refuses_undoes_the_call(
    room: HostRoom, ksm_before: dict[str, int]
) -> None:
    # The contract allows 2, as oVirt does; the kernel does not. `run` has been written by then.
    other_run = 2 if ksm_before["run"] == 0 else 0
    with pytest.raises(KernelSettingFailed) as raised:
        room.ksm_tune(KsmTuning(run=other_run, merge_across_nodes=2, sleep_millisecs=4321))
    assert raised.value.errno == errno.EINVAL
    assert raised.value.path == str(KSM / "merge_across_nodes")
    assert ksm_now() == ksm_before


def test_huge_pages_come_and_go(room: HostRoom) -> None:
    if not POOL.exists():
        pytest.skip("this kernel has no 2 MiB huge pages")
    before = int(POOL.read_text())
    try:
        assert room.hugepages_alloc(2, str(POOL)).allocated == 2
        assert int(POOL.read_text()) == before + 2
        assert room.hugepages_alloc(-2, str(POOL)).allocated == -2
        assert int(POOL.read_text()) == before
    finally:
        POOL.write_text(str(before))


def test_a_page_size_that_no_cpu_has(room: HostRoom) -> None:
    with pytest.raises(KernelSettingFailed) as raised:
        room.hugepages_alloc(1, str(POOL).replace("2048", "2047"))
    assert raised.value.errno == errno.ENOENT


def test_the_kernels_word_on_vulnerabilities(room: HostRoom) -> None:
    said = room.get_cpu_vulnerabilities().vulnerabilities
    assert said == {
        file.name.upper(): f"({file.read_text().strip()})" for file in VULNERABILITIES.iterdir()
    }
    assert "SPECTRE_V2" in said


def test_hardware_is_told_or_said_to_be_unknown(room: HostRoom) -> None:
    if Path("/sys/class/dmi/id").exists():
        vendor = Path("/sys/class/dmi/id/sys_vendor").read_text().strip()
        assert room.get_hardware_info().systemManufacturer == vendor
    else:
        with pytest.raises(HardwareUnavailable):
            room.get_hardware_info()
