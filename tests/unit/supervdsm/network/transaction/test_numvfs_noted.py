# SPDX-License-Identifier: GPL-2.0-or-later
"""What an upgrade is told of virtual functions: which devices go, and of no change nothing."""

from pathlib import Path

import pytest

from supervdsm.network.transaction import numvfs
from unit.supervdsm.network.transaction.fakes import Site
from vdsm_contract import asked

ADDRESS = "0000:03:00.0"


@pytest.mark.parametrize(("number", "devices"), [(4, set()), (2, {"eth0", "eth0v0"})])
def test_only_a_number_that_changes_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, devices: set[str]
) -> None:
    device = tmp_path / "sys/bus/pci/devices" / ADDRESS
    (device / "net/eth0").mkdir(parents=True)
    (device / "virtfn0/net/eth0v0").mkdir(parents=True)
    (device / "sriov_numvfs").write_text("4\n")
    path = tmp_path / asked.FILE_NAME
    asked.begin(path)
    monkeypatch.setattr(numvfs.numvfs, "change", lambda _function, _number: None)
    site = Site.at(tmp_path / "site")
    numvfs.change(tmp_path / "sys", site.store, site.recovery, ADDRESS, number, noted=path)
    assert asked.read(path).devices == devices
