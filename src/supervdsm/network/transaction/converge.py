# SPDX-License-Identifier: GPL-2.0-or-later
"""Lead the kernel to a state: plan, apply, read again, until nothing is left to do.

One way for a change, its rollback and the recovery after a crash. What the kernel does by itself on
the way (a route that went with its device) is found by reading and healed in the next round.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from supervdsm.network.apply.executor import OperationFailed
from supervdsm.network.plan import planner
from supervdsm.network.plan.feasible import unreachable
from supervdsm.network.plan.operations import Operation
from supervdsm.network.plan.state import State

_log: Final = logging.getLogger(__name__)
ROUNDS: Final = 4
_SHOWN: Final = 5


@dataclass(frozen=True)
class Kernel:
    """How the network is read, and how it is changed."""

    read: Callable[[], State]
    """Raises NetlinkFailed, and ServiceFailed when it cannot be known which DHCP clients run."""
    apply: Callable[[Sequence[Operation]], None]
    """Raises OperationFailed."""
    read_anyway: Callable[[], State]
    """The same, but for DHCP clients of which nothing can be known: the way back has to do without
    them rather than not be gone. Raises NetlinkFailed."""
    announce: Callable[[State], None] = lambda _: None
    """Tells the neighbours where the addresses of a state are now; it neither waits nor raises."""


class NotReached(Exception):
    """The kernel took every operation and is still not as it shall be, or cannot be at all."""

    def __init__(self, left: Sequence[Operation], lost: Sequence[str], reason: str) -> None:
        super().__init__(left, lost, reason)
        self.left = tuple(left)
        self.lost = tuple(lost)
        self.reason = reason

    @property
    def operation(self) -> str:
        """What could not be done, in a few words."""
        return str(self.left[0]) if self.left else f"find {', '.join(self.lost)}"

    def __str__(self) -> str:
        return f"Failed to {self.operation}: {self.reason}"


def reach(
    kernel: Kernel,
    current: State,
    target: State,
    *,
    planned: Sequence[Operation] | None = None,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Lead from `current`, read just now, to `target`; return how many operations it took.

    `planned` are the first round's operations, where they are known already. `check` is asked
    before each round and may raise. Raises OperationFailed at the first operation that fails,
    NotReached, and NetlinkFailed.
    """
    done = 0
    operations = planner.plan(current, target) if planned is None else planned
    for _ in range(ROUNDS):
        if not operations:
            break
        check()
        kernel.apply(operations)
        done += len(operations)
        current = kernel.read()
        operations = planner.plan(current, target)
    lost = sorted(unreachable(current, target))
    if operations or lost:
        raise NotReached(operations, lost, _reason(operations))
    if done:
        kernel.announce(target)
    return done


def bring_back(kernel: Kernel, target: State) -> int:
    """Lead back to `target` as far as it goes; return how many operations it took.

    An operation that fails does not hold up the others, and a NIC that is no longer there is not
    waited for. Raises NotReached when something else is left to do, and NetlinkFailed.
    """
    done = 0
    failure: OperationFailed | None = None
    for _ in range(ROUNDS):
        current = kernel.read_anyway()
        operations = planner.plan(current, target)
        if not operations:
            lost = sorted(unreachable(current, target))
            if lost:
                _log.error("Not put back, for it is not there any more: %s", ", ".join(lost))
            break
        failure = _apply_all(kernel, operations)
        done += len(operations)
    else:
        left = planner.plan(kernel.read_anyway(), target)
        if left:
            raise NotReached(left, (), str(failure) if failure else _reason(left))
    if done:
        kernel.announce(target)
    return done


def _apply_all(kernel: Kernel, operations: Sequence[Operation]) -> OperationFailed | None:
    """Apply all that can be; return the last failure."""
    failure: OperationFailed | None = None
    rest = list(operations)
    while rest:
        try:
            kernel.apply(rest)
        except OperationFailed as error:
            _log.warning("%s", error)
            failure = error
            rest = rest[rest.index(error.operation) + 1 :]
        else:
            break
    return failure


def _reason(left: Sequence[Operation]) -> str:
    if not left:
        return "no such device"
    shown = "; ".join(map(str, left[:_SHOWN]))
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return f"still to be done after {ROUNDS} rounds: {shown}{more}"
