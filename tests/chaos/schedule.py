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
    """SIGSTOP: it is there and does nothing, until somebody notices. Nobody looks after the DHCP
    client that way: it goes on after a while."""
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
    STOP_UPGRADER = "stop upgrader"
    """SIGSTOP to an upgrader in the middle; then it goes on, or is killed."""
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
CONTINUED: Final = "continued"
KILLED: Final = "killed"

_DECK: Final[tuple[tuple[int, Kind, tuple[str, ...]], ...]] = (
    (24, Kind.KILL, (SUPERVDSM,)),
    (17, Kind.KILL, (VDSM,)),
    (6, Kind.KILL, (DHCP,)),
    (5, Kind.KILL_BOTH, ("",)),
    (7, Kind.PODMAN_KILL, (SUPERVDSM, VDSM, DHCP)),
    (6, Kind.RESTART, (SUPERVDSM, VDSM, DHCP)),
    (1, Kind.STOP, (SUPERVDSM,)),
    (1, Kind.STOP, (VDSM,)),
    (2, Kind.STOP, (DHCP,)),
    (9, Kind.CUT, ("",)),
    (5, Kind.DROP, ("",)),
    (7, Kind.FILL, (STATE, DOMAIN)),
    (6, Kind.TEAR, ("truncated", "appended", "overwritten")),
    (1, Kind.UPGRADE, STEPS),
    (1, Kind.STOP_UPGRADER, (CONTINUED, KILLED)),
    (1, Kind.REBOOT, ("",)),
    (1, Kind.POWER_CUT, ("",)),
)
"""How often each comes among a hundred: what takes long is rare, and yet in each hundred."""
_CARDS: Final = [(kind, targets) for count, kind, targets in _DECK for _ in range(count)]


def schedule(seed: int, without: Collection[Kind] = ()) -> Iterator[Fault]:
    """Give the faults of a seed, without end: a hundred after the other, each shuffled.

    Kinds that are left out change no other fault, except for its number: so a failure may be
    sought with fewer of them.
    """
    choices = random.Random(f"{seed}/faults")
    number = 0
    while True:
        for kind, targets in choices.sample(_CARDS, len(_CARDS)):
            target = choices.choice(targets)
            pause_s = choices.uniform(0.1, 0.6)
            in_change, share = choices.random() < 0.5, choices.random()
            if kind not in without:
                number += 1
                yield Fault(number, kind, target, pause_s, in_change, share)
