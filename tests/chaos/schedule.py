# SPDX-License-Identifier: GPL-2.0-or-later
"""Which fault comes when: a pure function of the seed, so that a run can be had again."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What is done to the host or to a client."""

    KILL = "kill"
    """SIGKILL to the main process of a container."""
    KILL_BOTH = "kill both"
    """SIGKILL to vdsm and supervdsm in one moment."""
    STOP = "stop"
    """SIGSTOP: it is there and does nothing, until somebody notices."""
    PODMAN_KILL = "podman kill"
    RESTART = "restart"
    """`systemctl restart`."""
    CUT = "cut"
    """The clients' connections end in the middle of their calls."""
    DROP = "drop"
    """Packets between the clients and vdsm are lost for a while."""
    FILL = "fill"
    """A file system is full for a while."""
    TEAR = "tear"
    """supervdsm dies in a change of the network, and the end of its journal is wrong."""
    UPGRADE = "upgrade"
    """The pair is upgraded, and the upgrader is killed behind one of its steps, or not."""
    REBOOT = "reboot"
    POWER_CUT = "power cut"


@dataclass(frozen=True)
class Fault:
    """One of the schedule. `share` is a number from 0 to 1 for what the kind needs beside."""

    number: int
    kind: Kind
    target: str
    """A container, a file system, how a journal is torn, a step of an upgrade."""
    pause_s: float
    """Seconds of load before it."""
    in_change: bool
    """Wait until a change of the network is under way."""
    share: float

    @property
    def title(self) -> str:
        return f"{self.kind} {self.target}".strip()


SUPERVDSM: Final = "supervdsm"
VDSM: Final = "vdsm"
DHCP: Final = "dhcp"
STATE: Final = "state"
"""The file system of /var/lib/vdsm."""
DOMAIN: Final = "domain"
"""The file system of the storage domain."""

STEPS: Final = (
    "none", "PREPARED", "NAMED", "WRITTEN", "PINNED", "SWITCHED", "RESTARTING", "RESTARTED",
    "TESTED", "KEPT", "RECORDED",
)  # fmt: skip
"""Behind which step of an upgrade the upgrader is killed."""

_CHOICES: Final[tuple[tuple[int, Kind, tuple[str, ...]], ...]] = (
    (240, Kind.KILL, (SUPERVDSM,)),
    (170, Kind.KILL, (VDSM,)),
    (70, Kind.KILL, (DHCP,)),
    (50, Kind.KILL_BOTH, ("",)),
    (70, Kind.PODMAN_KILL, (SUPERVDSM, VDSM)),
    (60, Kind.RESTART, (SUPERVDSM, VDSM)),
    (30, Kind.STOP, (SUPERVDSM, VDSM)),
    (100, Kind.CUT, ("",)),
    (50, Kind.DROP, ("",)),
    (70, Kind.FILL, (STATE, DOMAIN)),
    (60, Kind.TEAR, ("truncated", "appended", "overwritten")),
    (8, Kind.UPGRADE, STEPS),
    (12, Kind.REBOOT, ("",)),
    (5, Kind.POWER_CUT, ("",)),
)
"""How often each is drawn, in thousandths or so: what takes long is rare."""


def schedule(seed: int, without: Collection[Kind] = ()) -> Iterator[Fault]:
    """Give the faults of a seed, without end.

    Kinds that are left out change no other fault, except for its number: so a failure may be
    sought with fewer of them.
    """
    choices = random.Random(f"{seed}/faults")
    weights = [weight for weight, _kind, _targets in _CHOICES]
    number = 0
    while True:
        ((_weight, kind, targets),) = choices.choices(_CHOICES, weights)
        target = choices.choice(targets)
        pause_s = choices.uniform(0.1, 0.9)
        in_change, share = choices.random() < 0.5, choices.random()
        if kind not in without:
            number += 1
            yield Fault(number, kind, target, pause_s, in_change, share)
