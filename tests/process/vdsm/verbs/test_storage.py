# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage connections with a real supervdsm, real mounts and real access checks."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from storage.scenario import what_it_saw


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    # Not pytest's own directory: uid 36 and 107 must get through to what is below.
    with tempfile.TemporaryDirectory(prefix="vdsm-test-") as name:
        Path(name).chmod(0o755)
        return what_it_saw(Path(__file__).with_name("storage_scenario.py"), Path(name))


def test_posixfs_is_mounted_and_unmounted(seen: dict[str, Any]) -> None:
    posixfs = seen["posixfs"]
    assert posixfs["connect"] == [0]
    assert posixfs["again"] == [0]
    assert posixfs["disconnect"] == [0, 0]
    assert posixfs["disconnect again"] == [0]
    assert posixfs["left"] == []
    assert posixfs["mounts left"] is False


def test_what_cannot_be_mounted_is_refused_and_leaves_nothing(seen: dict[str, Any]) -> None:
    posixfs = seen["posixfs"]
    assert posixfs["bad"] == [477, 477, 1000]
    assert posixfs["bad options"] == [1000, 1000]
    assert len(posixfs["names"]) == 1


def test_a_mount_outlives_supervdsm(seen: dict[str, Any]) -> None:
    posixfs = seen["posixfs"]
    assert posixfs["mounted without supervdsm"] is True
    assert posixfs["after a kill"] == [0]
    assert posixfs["file"] == "kept"


def test_a_local_directory_is_shown_and_taken_away(seen: dict[str, Any]) -> None:
    localfs = seen["localfs"]
    assert localfs["connect"] == [0]
    assert localfs["name"] is True
    assert localfs["file"] == "local"
    assert localfs["disconnect"] == [0]
    assert localfs["gone"] == []
    assert localfs["data stays"] == "local"


def test_a_local_directory_of_others_is_refused(seen: dict[str, Any]) -> None:
    localfs = seen["localfs"]
    assert localfs["of root"] == [477]
    assert localfs["closed to qemu"] == [469]
    assert localfs["left"] == []
