# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the units lie decides who upgrades the pair: the host's image, or vdsm-tool."""

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import host_image

VENDOR, OWN = "/usr/share/containers/systemd", "/etc/containers/systemd"


@pytest.mark.parametrize(
    ("directories", "refused"), [((), False), ((OWN,), False), ((VENDOR,), True)]
)
def test_a_host_whose_image_brings_the_pair_is_refused(
    host: Host, directories: tuple[str, ...], refused: bool
) -> None:
    for directory in directories:
        host.path(directory).mkdir(parents=True)
        host.path(directory).joinpath("vdsm.container").write_text("")
    assert host_image.brings_the_pair(host) is refused
    if refused:
        with pytest.raises(ToolError, match="part of this host's image") as raised:
            host_image.refuse(host)
        assert "docs/immutable.md" in raised.value.hint
    else:
        host_image.refuse(host)


def test_a_unit_of_the_operator_has_precedence_over_the_images(host: Host) -> None:
    for directory in (VENDOR, OWN):
        host.path(directory).mkdir(parents=True)
        host.path(directory).joinpath("vdsm.container").write_text("")
    assert not host_image.brings_the_pair(host)
