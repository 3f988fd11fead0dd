# SPDX-License-Identifier: GPL-2.0-or-later
"""The network between the clients and vdsm goes away."""

import time

from chaos.faults.harm import Harm, Target
from chaos.schedule import Fault

_LONGEST_S = 4.0
_RULES = (
    "add table inet chaos; add chain inet chaos input {{ type filter hook input priority 0; }}; "
)
_RULES += "add rule inet chaos input tcp dport 54321 drop"


def cut(target: Target, fault: Fault) -> Harm:
    """The connections of some clients end, with a reset."""
    began = time.monotonic()
    most = 1 + int(fault.share * len(target.clients))
    for number in range(most):
        target.clients[(fault.number + number) % len(target.clients)].cut()
    return Harm(began)


def drop(target: Target, fault: Fault) -> Harm:
    """What clients send is dropped for a while; TCP sends it again."""
    agent = target.site.agent
    agent.run("nft", _RULES.format())
    time.sleep(0.2 + fault.share * _LONGEST_S)  # this long is the fault
    agent.run("nft", "delete table inet chaos")
    return Harm(time.monotonic())
