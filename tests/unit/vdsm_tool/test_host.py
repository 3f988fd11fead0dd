# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's mounts, and what becomes of its commands' failures."""

from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host, Mount, _runner


def test_a_mount_with_a_blank_and_propagation_is_read(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1/mountinfo").write_text(
        "36 35 98:0 / /mnt/my\\040disk rw,noatime master:2 shared:7 - ext3 /dev/root rw\n"
        "37 35 98:1 / /mnt/ü ro,noatime - nfs4 nfs1:/my\\040data rw\n"
    )
    host = Host(Path("/"), tmp_path, lambda _command: "")
    assert host.mounts() == [
        Mount("/dev/root", Path("/mnt/my disk"), "ext3", shared=True, read_only=False),
        Mount("nfs1:/my data", Path("/mnt/ü"), "nfs4", shared=False, read_only=True),
    ]


def test_a_failure_is_one_sentence() -> None:
    with pytest.raises(ToolError, match=r"^sh -c .* failed: no such thing$"):
        _runner(())(["sh", "-c", "echo no such thing >&2; exit 3"])


def test_a_missing_command_is_named() -> None:
    with pytest.raises(ToolError, match="no-such-command"):
        _runner(())(["no-such-command"])


def test_the_prefix_goes_before_the_command() -> None:
    assert _runner(("env", "A=1"))(["sh", "-c", "echo $A"]) == "1\n"
