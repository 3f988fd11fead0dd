# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of `org.ovirt.supervdsm.network`."""

import os
import time
from pathlib import Path
from typing import Final

from supervdsm.network.kernel import snapshot
from supervdsm.network.kernel.cache import Cache
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.report import resolver
from supervdsm.network.report.caps import capabilities
from supervdsm.network.report.stats import statistics
from supervdsm.network.transaction.store import Store
from vdsm_contract import interfaces, paths
from vdsm_contract.types import NetworkCapabilities, NetworkStatistics

FAKE_NICS_ENV: Final = "VDSM_FAKE_NICS"
"""Names of the veths and dummies that are NICs here: shell patterns, separated by commas."""


class NetworkRoom(interfaces.Network):
    """The network namespace that this process is in, which is the host's.

    `sysfs` must be mounted in the same namespace; `proc` is procfs, `host_root` the host's root
    tree and `state_dir` oVirt's directory of state. `patterns` says which devices are NICs; the
    default takes the fake ones from VDSM_FAKE_NICS.
    """

    def __init__(
        self,
        sysfs: Path = Path("/sys"),
        proc: Path = Path("/proc"),
        host_root: Path = paths.HOST_ROOT,
        state_dir: Path = paths.STATE_DIR,
        patterns: NicPatterns | None = None,
    ) -> None:
        self._proc = proc
        self._host_root = host_root
        self._store = Store(state_dir)
        self._patterns = patterns or patterns_from_environment()
        self._cache = Cache()

    def network_caps(self) -> NetworkCapabilities:
        return capabilities(
            snapshot.take(self._cache, self._patterns),
            self._store.running().networks.values(),
            nameservers=resolver.nameservers(self._host_root),
            supports_ipv6=(self._proc / "sys/net/ipv6").is_dir(),
            patterns=self._patterns,
        )

    def network_stats(self) -> NetworkStatistics:
        counters = snapshot.take_counters(self._cache, self._patterns)
        return statistics(counters, self._patterns, time.time())


def patterns_from_environment() -> NicPatterns:
    """Return the default patterns, with the fake NICs of VDSM_FAKE_NICS where it is set."""
    text = os.environ.get(FAKE_NICS_ENV)
    if text is None:
        return NicPatterns()
    return NicPatterns(fake=tuple(word.strip() for word in text.split(",") if word.strip()))
