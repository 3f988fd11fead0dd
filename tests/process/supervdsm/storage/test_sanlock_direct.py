# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases are read as vdsm's user, and only from regular files that no link leads to."""

import os

import pytest

from process.supervdsm.storage.site import Site
from vdsm_contract.errors import InvalidArgument


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "does not exist"),
        ("link", "symbolic link"),
        ("link on the way", "symbolic link"),
        ("directory", "Invalid argument"),
        ("fifo", "Invalid argument"),
        ("root's", "Permission denied"),
    ],
)
def test_what_vdsm_may_not_read_is_not_read(site: Site, kind: str, reason: str) -> None:
    directory = site.data_center / "mnt/domain"
    directory.mkdir()
    secret = directory / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    path = directory / "ids"
    match kind:
        case "link":
            path.symlink_to("/etc/shadow")
        case "link on the way":
            (directory / "dom_md").symlink_to("/etc")
            path = directory / "dom_md/passwd"
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "root's":
            path = secret
    with pytest.raises(InvalidArgument, match=reason) as caught:
        site.room.sanlock_direct_dump(str(path))
    assert caught.value.field == "path"
