# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that arguments name."""

from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import this_host
from vdsm_tool.upgrade import hostfile


def test_a_relative_path_starts_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VDSM_TOOL_DIRECTORY", str(tmp_path))
    assert hostfile.existing("file", this_host()) == tmp_path / "file"
    assert hostfile.new("other", this_host()) == tmp_path / "other"


def test_links_are_followed_and_odd_names_are_names(tmp_path: Path) -> None:
    odd = tmp_path / "-odd name\n\n"
    odd.touch()
    (tmp_path / "link").symlink_to(odd)
    assert hostfile.existing(tmp_path / "link", this_host()) == odd


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for find in (hostfile.existing, hostfile.new):
        with pytest.raises(ToolError, match="no file"):
            find(tmp_path / "gone/file", this_host())
