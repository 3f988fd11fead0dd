# SPDX-License-Identifier: GPL-2.0-or-later
"""Four ways to have a privileged helper beside vdsm, as real processes, killed at the same points.

oVirt's feature page "Supervdsm service" compares the flow until 3.3, the proposals A and B, and C,
the one that was chosen. Here each is a small model that serves the same verbs over the same wire,
and a service manager that does for it what the page says. `python -m designs.compare` kills them,
and writes docs/design-comparison.md.

    legacy  vdsm launches the helper as sudo would, finds it by a pid file, kills it when its key
            is wrong; the helper ends when vdsm is gone, by a look every 2 s
    A       vdsm starts as root and forks the helper; it cannot do so again, so it ends when the
            helper has; the helper looks at vdsm as above
    B       the helper starts vdsm as its child and ends with it; vdsm ends when it sees that its
            parent is gone, at a call or by a look every 2 s
    C       two services, each restarted by the manager, which holds their sockets; supervdsm is
            the real one
"""

from typing import Final

DESIGNS: Final = ("legacy", "A", "B", "C")
LOOK_S: Final = 2.0
"""How often one half looks whether the other one lives; oVirt's supervdsm did so every 2 s."""
RESTART_S: Final = 0.1
"""RestartSec= of the pair's units."""
WATCHDOG_S: Final = 2.0
"""WatchdogSec= of C. The units have 10 s."""
