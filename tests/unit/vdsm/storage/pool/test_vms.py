# SPDX-License-Identifier: GPL-2.0-or-later
"""The OVFs of machines on a domain that has no room for them."""

import errno
import os
from pathlib import Path

import pytest

from storage.local_files import LocalFiles
from vdsm.storage import errors
from vdsm.storage.layout import FILE_MODE
from vdsm.storage.pool import vms
from vdsm.storage.pool.vms import Machine

OLD = Machine("22222222-2222-4222-8222-222222222220", "<old/>")
NEW = Machine("22222222-2222-4222-8222-222222222221", "<new/>")


class FullFiles(LocalFiles):
    full = False

    def write(self, path: str, data: bytes, mode: int = FILE_MODE) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        super().write(path, data, mode)


def test_a_full_domain_keeps_its_machines_and_gets_no_empty_ones(tmp_path: Path) -> None:
    files = FullFiles(tmp_path)
    vms.update(files, [OLD])
    files.full = True
    for machine in (NEW, Machine(OLD.uuid, "<changed/>")):
        with pytest.raises(errors.NoSpaceLeft):
            vms.update(files, [machine])
    assert vms.uuids(files) == [OLD.uuid]
    assert vms.ovfs(files, []) == {OLD.uuid: "<old/>"}
