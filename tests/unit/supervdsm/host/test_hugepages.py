# SPDX-License-Identifier: GPL-2.0-or-later
"""Huge pages: only a pool's own file is ever written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.host import hugepages
from vdsm_contract.errors import InvalidArgument, KernelSettingFailed

HOST_POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
NODE_POOL = "/sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages"


def make_pool(sysfs: Path, path: str, pages: int) -> Path:
    file = sysfs / path.removeprefix("/sys/")
    file.parent.mkdir(parents=True)
    file.write_text(f"{pages}\n")
    return file


@pytest.mark.parametrize("path", [HOST_POOL, NODE_POOL])
def test_pages_are_added_to_what_is_there(tmp_path: Path, path: str) -> None:
    file = make_pool(tmp_path, path, 3)
    assert hugepages.allocate(tmp_path, 4, path) == 4
    assert int(file.read_text()) == 7


def test_pages_are_removed(tmp_path: Path) -> None:
    file = make_pool(tmp_path, HOST_POOL, 300)
    assert hugepages.allocate(tmp_path, -298, HOST_POOL) == -298
    assert int(file.read_text()) == 2


@pytest.mark.parametrize("count", [-4, 2**24, -(2**24) - 1, 2**24 + 1, 2**63])
def test_a_count_out_of_bounds_is_refused(tmp_path: Path, count: int) -> None:
    file = make_pool(tmp_path, HOST_POOL, 3)
    with pytest.raises(InvalidArgument, match="count"):
        hugepages.allocate(tmp_path, count, HOST_POOL)
    assert file.read_text() == "3\n"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "/sys/kernel/mm/ksm/run",
        "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
        HOST_POOL + "\n",
        HOST_POOL + "/../nr_overcommit_hugepages",
        HOST_POOL.replace("2048", "²048"),
        HOST_POOL.replace("kernel", "kernel/../kernel"),
        HOST_POOL.replace("/sys/", "/sys//"),
        NODE_POOL.replace("node0", "node00"),
        NODE_POOL.replace("node0", "node../../node/node0"),
        NODE_POOL.replace("nr_hugepages", "free_hugepages"),
    ],
)
def test_any_other_path_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidArgument, match="path"):
        hugepages.allocate(tmp_path, 1, path)


@given(st.text(alphabet="/.sykernlmdvichugpa-2048kB_0\n\0"), st.integers(0, len(HOST_POOL)))
def test_no_insertion_makes_another_path(text: str, at: int) -> None:
    path = HOST_POOL[:at] + text + HOST_POOL[at:]
    with pytest.raises((InvalidArgument, KernelSettingFailed)) as raised:
        hugepages.allocate(Path("/nonexistent"), 1, path)
    if isinstance(raised.value, KernelSettingFailed):
        # What got so far is a pool of another size, and nothing else.
        assert set(raised.value.path.split("/")[2:]) - {""} >= {"kernel", "mm", "nr_hugepages"}
        assert ".." not in raised.value.path


def test_a_page_size_that_the_kernel_lacks(tmp_path: Path) -> None:
    with pytest.raises(KernelSettingFailed):
        hugepages.allocate(tmp_path, 1, HOST_POOL)
