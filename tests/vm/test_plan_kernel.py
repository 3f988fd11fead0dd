# SPDX-License-Identifier: GPL-2.0-or-later
"""The planner's properties against a kernel that has VLANs, bonds of all modes and HFSC.

The kernel is used in a network namespace of its own, by supervdsm's image; plans are made here.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from process.supervdsm.network import plan_host
from process.supervdsm.network.plan_host import AGENT, Host, examples


@pytest.fixture(scope="module")
def host(vm: Machine) -> Iterator[Host]:
    image = vm.sh("podman inspect -f '{{.Image}}' supervdsm")
    vm.copy_in(AGENT, "/root/plan_agent.py")
    words = ["--rm", "-i", "--privileged", "--network=none", "--log-driver=none"]
    words += ["-v", "/root/plan_agent.py:/agent:ro", "--entrypoint=/opt/venv/bin/python"]
    agent = vm.start("podman", "run", *words, image, "/agent")
    with agent:
        yield Host(agent)


def test_this_kernel_has_all_kinds(host: Host) -> None:
    assert host.kinds == ["vlan", "bond", "hfsc"]


@examples(5)  # this machine is slow
@given(st.data())
def test_any_path_of_configurations_arrives_and_leads_back(host: Host, data: st.DataObject) -> None:
    plan_host.any_path_arrives_and_leads_back(host, data)


@examples(5)  # this machine is slow
@given(st.data())
def test_from_wherever_a_change_was_cut_off_there_is_a_way_back_and_a_way_on(
    host: Host, data: st.DataObject
) -> None:
    plan_host.a_change_cut_off_can_go_back_and_on(host, data)
