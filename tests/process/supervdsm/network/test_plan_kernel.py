# SPDX-License-Identifier: GPL-2.0-or-later
"""The planner's properties against the real kernel: plans are made, applied, read and made again.

NICs are veths. Where the kernel has no VLANs, bonds or HFSC, configurations have none either; the
VM ring asks the same of a kernel with all of them (tests/vm/test_plan_kernel.py).
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from process.supervdsm.network import plan_host
from process.supervdsm.network.namespace import SOURCES, Namespace
from process.supervdsm.network.plan_host import AGENT, Host, examples


@pytest.fixture
def host(namespace: Namespace) -> Iterator[Host]:
    # `ip netns exec` also mounts the namespace's own sysfs.
    command = ["ip", "netns", "exec", namespace.name, sys.executable, str(AGENT)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
    ) as agent:
        yield Host(agent)


@pytest.mark.timeout(600)
@examples(8)
@given(st.data())
def test_any_path_of_configurations_arrives_and_leads_back(host: Host, data: st.DataObject) -> None:
    plan_host.any_path_arrives_and_leads_back(host, data)


@pytest.mark.timeout(600)
@examples(8)
@given(st.data())
def test_from_wherever_a_change_was_cut_off_there_is_a_way_back_and_a_way_on(
    host: Host, data: st.DataObject
) -> None:
    plan_host.a_change_cut_off_can_go_back_and_on(host, data)
