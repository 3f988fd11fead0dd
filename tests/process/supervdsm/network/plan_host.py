# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for plans on a real kernel, which may be one of this machine or of a VM."""

import os
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from supervdsm.network.config import Configuration
from supervdsm.network.plan.operations import Operation
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import State
from supervdsm.network.plan.target import target
from unit.supervdsm.network.generators import configurations
from unit.supervdsm.network.plan.essence import differences, essence

AGENT = Path(__file__).with_name("plan_agent.py")
ROUNDS = 2
NOTHING = Configuration()

_T = TypeVar("_T")


def examples(number: int) -> settings:
    """Try so many, or as many as PLAN_KERNEL_EXAMPLES says."""
    return settings(
        max_examples=int(os.environ.get("PLAN_KERNEL_EXAMPLES", number)),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


class Host:
    """A running `plan_agent.py`: four NICs in a network namespace."""

    def __init__(self, agent: "subprocess.Popen[bytes]") -> None:
        self._agent = agent
        self.reset()
        self.kinds = self._ask(b"kinds", list[str])

    def reset(self) -> None:
        """Begin again."""
        self._ask(b"reset", type(None))

    def read(self) -> State:
        """Read the kernel."""
        return self._ask(b"read", State)

    def apply(self, operations: Sequence[Operation], stop_after: int = -1) -> None:
        """Apply operations, or only so many of them. The kernel refuses none."""
        if stop_after != 0:
            part = {"operations": operations, "stop_after": stop_after}
            assert self._ask(b"apply " + msgspec.json.encode(part), str) == ""

    def arrive(self, wanted: State) -> State:
        """Go to a target; return what is there then."""
        for _ in range(ROUNDS):
            found = self.read()
            operations = plan(found, wanted)
            if not operations:
                return found
            self.apply(operations)
        found = self.read()
        left = [str(one) for one in plan(found, wanted)]
        assert not left, left
        return found

    def drawn(self) -> st.SearchStrategy[Configuration]:
        """Draw configurations that this kernel can have."""
        return configurations(
            with_vlans="vlan" in self.kinds,
            with_bonds="bond" in self.kinds,
            with_qos="hfsc" in self.kinds,
        )

    def _ask(self, request: bytes, kind: type[_T]) -> _T:
        assert self._agent.stdin is not None
        assert self._agent.stdout is not None
        self._agent.stdin.write(request + b"\n")
        self._agent.stdin.flush()
        return msgspec.json.decode(self._agent.stdout.readline(), type=kind)


def any_path_arrives_and_leads_back(host: Host, data: st.DataObject) -> None:
    """Go from configuration to configuration, and all the way back."""
    host.reset()
    path = data.draw(st.lists(host.drawn(), min_size=2, max_size=3))
    before = []
    current = host.read()
    for running, wanted in pairwise([NOTHING, *path]):
        there = target(current, running, wanted)
        before.append((essence(current), way_back(current, there)))
        current = host.arrive(there)
    for found, back in reversed(before):
        unlike = differences(host.arrive(back), found)
        assert not unlike, unlike


def a_change_cut_off_can_go_back_and_on(host: Host, data: st.DataObject) -> None:
    """Stop a change anywhere; go back, do it again, and go on from there."""
    host.reset()
    running, wanted = data.draw(host.drawn()), data.draw(host.drawn())
    current = host.arrive(target(host.read(), NOTHING, running))
    there = target(current, running, wanted)
    operations = plan(current, there)
    stop = data.draw(st.integers(0, len(operations)))
    host.apply(operations, stop_after=stop)
    found = host.arrive(way_back(current, there))
    unlike = differences(found, essence(current))
    assert not unlike, unlike

    host.apply(plan(found, there), stop_after=stop)
    host.arrive(there)


def way_back(current: State, there: State) -> State:
    """The target of a change that takes `there` back."""
    return current.restricted(there.devices.keys() | there.absent)
