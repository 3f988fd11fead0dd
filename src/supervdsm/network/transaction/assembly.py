# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of network changes, put together over one directory of state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervdsm.network.transaction.boot import BootMark
from supervdsm.network.transaction.change import Changer
from supervdsm.network.transaction.connectivity import Confirmation
from supervdsm.network.transaction.converge import Kernel
from supervdsm.network.transaction.hooks import Hooks
from supervdsm.network.transaction.journal import Journal
from supervdsm.network.transaction.recover import Recovery
from supervdsm.network.transaction.restore import NIC_SECONDS, Restore, SetNumvfs
from supervdsm.network.transaction.setup import Setup
from supervdsm.network.transaction.store import Store
from vdsm_contract import asked, paths

JOURNAL: Final = paths.NETWORK_JOURNAL.relative_to(paths.STATE_DIR)


@dataclass(frozen=True)
class Transactions:
    """What the room serves changes with."""

    confirmation: Confirmation
    setup: Setup
    restore: Restore
    recovery: Recovery
    mark: BootMark

    @staticmethod
    def over(
        kernel: Kernel,
        store: Store,
        *,
        state_dir: Path,
        run_dir: Path,
        hooks: Hooks,
        set_numvfs: SetNumvfs,
        nic_seconds: float = NIC_SECONDS,
    ) -> "Transactions":
        """Put the parts together."""
        confirmation = Confirmation()
        changer = Changer(kernel, store, Journal(state_dir / JOURNAL), run_dir / asked.FILE_NAME)
        recovery, mark = Recovery(changer), BootMark(run_dir)
        return Transactions(
            confirmation=confirmation,
            setup=Setup(changer, recovery, hooks, confirmation),
            restore=Restore(changer, recovery, mark, set_numvfs, nic_seconds),
            recovery=recovery,
            mark=mark,
        )

    def at_start(self) -> None:
        """End what the last supervdsm left, and restore what a boot took away."""
        self.recovery.at_start(same_boot=self.mark.attempts > 0)
        self.restore.at_boot()
