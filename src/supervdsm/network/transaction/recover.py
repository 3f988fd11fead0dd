# SPDX-License-Identifier: GPL-2.0-or-later
"""End a change that was cut off: back before its commit, forward after it.

At the start, before supervdsm is ready, and before the next change. When the way back does not come
to its end (a device refuses its old value), supervdsm serves all the same, for one that is never
ready helps nobody at night: the journal stays, every change tries again first and is refused as
long as it fails, and `vdsm-tool net restore --force` puts the persistent configuration in its
place.

A journal that cannot be read does not say how the devices were. Then they are led to the running
configuration, which is that of before the change, or of after it once that was committed; and a
commit that had begun with the running configuration is ended with the persistent one.
"""

import logging
import time
from datetime import UTC, datetime
from typing import Final

from supervdsm.common import call
from supervdsm.network.config import Configuration
from supervdsm.network.request.attributes import attributes, bond_attributes
from supervdsm.network.transaction.available import available
from supervdsm.network.transaction.change import ROLLBACK_LIMIT, Changer, proposed
from supervdsm.network.transaction.journal import Record
from supervdsm.network.transaction.store import RUNNING
from vdsm_contract.errors import (
    NetlinkFailed,
    NetworkChangeFailed,
    NetworkConfigError,
    ServiceFailed,
    TimedOut,
)

_log: Final = logging.getLogger("supervdsm.audit")


class Recovery:
    """Ends what the journal says is under way."""

    def __init__(self, changer: Changer) -> None:
        self._changer = changer

    def at_start(self, *, same_boot: bool) -> None:
        """End the change that the last supervdsm left, if any, and remove old files.

        In another boot the devices are not those of before: only files are put in order then.
        """
        try:
            self._changer.journal.tidy()
            was_there = self._changer.journal.is_there
            if was_there:
                # First: a journal that cannot be read is set aside, and not there the next time.
                self._changer.store.complete()
            record = self._changer.journal.read()
            if record is None and was_there and same_boot:
                record = self._to_running()
            if record is None or self._end(record, same_boot=same_boot):
                self._changer.store.collect()
        except OSError as error:
            _log.critical("recovery: the journal of network changes cannot be read: %s", error)

    def _to_running(self) -> Record | None:
        """Return a record, on the disk, whose way back leads to the running configuration, in the
        place of one that cannot be read. Raises OSError."""
        store = self._changer.store
        try:
            with call.serving("recovery", ROLLBACK_LIMIT):
                state = self._changer.kernel.read()
                nics = {name for name, device in state.devices.items() if device.kind == "nic"}
                running, _missing = available(store.load(RUNNING), nics)
                # The change may have made networks of these, or left some of them to be made.
                all_of_them = _joined(running, store.beside(RUNNING))
                remove: dict[str, object] = {"remove": True}
                change = proposed(
                    state,
                    all_of_them,
                    dict.fromkeys(all_of_them.networks, remove)
                    | {name: attributes(one) for name, one in running.networks.items()},
                    dict.fromkeys(all_of_them.bonds, remove)
                    | {name: bond_attributes(one) for name, one in running.bonds.items()},
                )
        except (NetlinkFailed, NetworkConfigError, ServiceFailed, TimedOut) as error:
            _log.critical("recovery: the devices stay as they are, for no way is known: %s", error)
            return None
        record = Record(
            method="a change that is not known",
            flow_id="",
            started=time.time(),
            before=change.target,
        )
        self._changer.journal.open(record)
        return record

    def settle(self) -> None:
        """End a change that is still under way. Raises NetworkChangeFailed when that fails."""
        try:
            record = self._changer.journal.read()
        except OSError as error:
            raise _refused("read the journal", error.errno or 0, str(error)) from error
        if record is not None and not self._end(record, same_boot=True):
            reason = "it was cut off and cannot be put back; the log of supervdsm says why"
            raise _refused(f"end the change of {_when(record)}", 0, reason)

    def give_up(self) -> None:
        """Forget a change that cannot be ended, for another configuration takes its place.

        Raises NetworkChangeFailed.
        """
        try:
            record = self._changer.journal.read()
            if record is not None and not self._end(record, same_boot=True):
                self._changer.journal.set_aside(f"{record.title} was given up by an operator")
                self._changer.store.collect()
        except OSError as error:
            raise _refused("read the journal", error.errno or 0, str(error)) from error

    def _end(self, record: Record, *, same_boot: bool) -> bool:
        _log.warning(
            "recovery: network change %s of %s was cut off, %s", record.title, _when(record),
            "after its commit" if record.phase == "committed" else "before its commit",
        )  # fmt: skip
        if record.phase == "committed":
            ended, how = self._forward(record), "rolled forward"
        elif same_boot:
            ended, how = self._changer.roll_back(record), "rolled back"
        else:
            ended, how = self._forget(record), "forgotten, for the host was booted since"
        if ended:
            _log.warning("recovery: network change %s: %s", record.title, how)
        else:
            _log.critical("recovery: network change %s: NOT %s", record.title, how)
        return ended

    def _forward(self, record: Record) -> bool:
        try:
            self._changer.roll_forward(record)
        except OSError as error:
            _log.critical("recovery: %s: %s", record.title, error)
            return False
        return True

    def _forget(self, record: Record) -> bool:
        try:
            self._changer.journal.close()
        except OSError as error:
            _log.critical("recovery: %s: %s", record.title, error)
            return False
        return True


def _joined(one: Configuration, other: Configuration) -> Configuration:
    """Return both; what is in both is as in the other one."""
    return Configuration(
        {**one.networks, **other.networks}, {**one.bonds, **other.bonds}, other.devices
    )


def _when(record: Record) -> str:
    try:
        return datetime.fromtimestamp(record.started, UTC).isoformat(timespec="seconds")
    except (OSError, OverflowError, ValueError):  # a number that is no time keeps nobody from home
        return f"{record.started:g} s after 1970"


def _refused(what: str, number: int, reason: str) -> NetworkChangeFailed:
    return NetworkChangeFailed(what, number, reason, rolledBack=False)
