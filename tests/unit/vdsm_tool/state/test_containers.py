# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the two images that run belong together."""

from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Level
from vdsm_tool.state.containers import ContainerState, judge, read_containers


def state(name: str, contract: str) -> ContainerState:
    return ContainerState(
        name=name,
        status="running",
        image=f"localhost/{name}:latest",
        image_id="3f2a" * 16,
        version="0.1.0",
        revision="abc",
        contract=contract,
    )


def test_a_pair_of_one_release_is_well() -> None:
    assert judge([state("supervdsm", "1"), state("vdsm", "1")]).level is Level.OK


@pytest.mark.parametrize("contract", ["2", ""])
def test_a_skewed_pair_is_a_failure(contract: str) -> None:
    finding = judge([state("supervdsm", "1"), state("vdsm", contract)])
    assert finding.level is Level.FAIL
    assert "one release" in finding.way_out


def test_without_podmans_socket_the_way_out_is_to_enable_it(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        read_containers(tmp_path / "podman.sock")
    assert "podman.socket" in caught.value.hint
