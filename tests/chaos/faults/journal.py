# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal of a change of the network, whose end is not what was written."""

import time
from collections.abc import Sequence
from typing import Final

from chaos.faults.harm import Harm, Target
from chaos.schedule import SUPERVDSM, Fault

_BAD: Final = "/var/lib/vdsm/supervdsm/network.journal.bad"


def tear(target: Target, fault: Fault) -> Harm:
    """supervdsm dies in a change; what it finds then of its journal is spoilt."""
    agent = target.site.agent
    done = agent.ask("tear", how=fault.target, share=fault.share)
    began = time.monotonic()

    def named() -> Sequence[str]:
        """It must say so, and keep it; we take it away."""
        kept = agent.run("sh", "-c", f"ls {_BAD} 2>/dev/null || true").strip()
        said = agent.run(
            "sh", "-c", "journalctl -u supervdsm.service -o cat --since=-5min | "
            "grep -c 'is set aside as' || true",
        ).strip()  # fmt: skip
        agent.run("rm", "-f", _BAD)
        wrong = [] if kept else [f"the journal that was {fault.target} is not kept"]
        return wrong if said != "0" else [*wrong, "supervdsm does not say that it set it aside"]

    title = fault.title if done["torn"] else "tear missed"
    pids = {SUPERVDSM: done["pid"]}
    return Harm(began, pids, title=title, check=named if done["torn"] else lambda: ())
