# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether vdsm speaks TLS is read from the same files, in the same order, as vdsm reads them."""

from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.state.vdsm import uses_tls


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "etc/vdsm/vdsm.conf.d").mkdir(parents=True)
    return Host(tmp_path, Path("/proc"), lambda _command: "")


def test_tls_is_the_default(host: Host) -> None:
    assert uses_tls(host)


def test_the_file_turns_it_off(host: Host) -> None:
    host.path("/etc/vdsm/vdsm.conf").write_text("[vars]\nssl = false\n")
    assert not uses_tls(host)


def test_a_drop_in_has_the_last_word(host: Host) -> None:
    host.path("/etc/vdsm/vdsm.conf").write_text("[vars]\nssl = false\n")
    host.path("/etc/vdsm/vdsm.conf.d/10.conf").write_text("[vars]\nssl = true\n")
    assert uses_tls(host)


@pytest.mark.parametrize("text", ["[vars]\nssl = maybe\n", "ssl = true\n"])
def test_a_file_that_vdsm_refuses_is_an_error(host: Host, text: str) -> None:
    host.path("/etc/vdsm/vdsm.conf").write_text(text)
    with pytest.raises(ToolError, match="configuration"):
        uses_tls(host)
