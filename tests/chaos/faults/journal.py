# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal of a change of the network, whose end is not what was written."""

import time
from collections.abc import Sequence
from typing import Final

from chaos.faults.harm import Harm, Target
from chaos.schedule import SUPERVDSM, Fault

_BAD: Final = "/var/lib/vdsm/supervdsm/network.journal.bad"
_SEEN: Final = f"""\
journalctl -u supervdsm.service -o cat --since=@{{since}} | grep -q 'is set aside as' && echo said
rm {_BAD} 2>/dev/null && echo kept
true
"""


def tear(target: Target, fault: Fault) -> Harm:
    """supervdsm dies in a change; what it finds then of its journal is spoilt."""
    agent = target.site.agent
    since = int(time.time())  # the host has this machine's clock
    done = agent.ask("tear", how=fault.target, share=fault.share)
    began = time.monotonic()

    def named() -> Sequence[str]:
        """It must say so, and keep it; we take it away."""
        found = agent.run("sh", "-c", _SEEN.format(since=since)).split()
        wrong = [] if "kept" in found else [f"the journal that was {fault.target} is not kept"]
        return wrong if "said" in found else [*wrong, "supervdsm does not say that it set it aside"]

    title = fault.title if done["torn"] else "tear missed"
    return Harm(
        began,
        {SUPERVDSM: done["container"]},
        title=title,
        check=named if done["torn"] else lambda: (),
    )
