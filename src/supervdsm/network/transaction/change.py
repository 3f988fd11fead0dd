# SPDX-License-Identifier: GPL-2.0-or-later
"""A change of the network as a transaction: all of it, or none of it.

The new configuration is written beside the old one, the journal says how the devices were, the
kernel is led to the target, the engine confirms, and the commit turns the journal around. Whatever
fails or dies before the commit leads back, whatever dies after it leads forward (`recover.py`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from supervdsm.common import call
from supervdsm.common.text import told
from supervdsm.network.apply.executor import OperationFailed
from supervdsm.network.config import Configuration
from supervdsm.network.plan import planner
from supervdsm.network.plan.operations import Operation
from supervdsm.network.plan.state import State
from supervdsm.network.plan.target import target
from supervdsm.network.request.change import requested
from supervdsm.network.request.facts import Facts
from supervdsm.network.transaction.converge import Kernel, NotReached, bring_back, reach
from supervdsm.network.transaction.journal import Journal, Record
from supervdsm.network.transaction.store import PERSISTENT, RUNNING, Store, new_name
from vdsm_contract import asked, flow
from vdsm_contract.errors import (
    NetlinkFailed,
    NetworkChangeFailed,
    NetworkConfigError,
    ServiceFailed,
    TimedOut,
    VerbError,
)

_log: Final = logging.getLogger(__name__)
ROLLBACK_LIMIT: Final = 300.0
"""Seconds for the way back. It begins when the call's own limit may be used up."""


@dataclass(frozen=True)
class Change:
    """What is, and what shall be."""

    current: State
    """Read just now."""
    target: State
    running: Configuration
    wanted: Configuration
    persistent: bool = False
    """Whether a boot shall restore the new configuration."""

    @cached_property
    def operations(self) -> Sequence[Operation]:
        """What leads from the one to the other."""
        return planner.plan(self.current, self.target)

    @property
    def devices(self) -> AbstractSet[str]:
        """The names of all devices that it may touch."""
        return _devices(self.target)


def proposed(
    current: State,
    running: Configuration,
    networks: Mapping[str, object],
    bondings: Mapping[str, object],
    *,
    persistent: bool = False,
) -> Change:
    """Return the change that a request asks for, checked. Raises NetworkConfigError. No I/O."""
    wanted = requested(networks, bondings, running, Facts.of(current))
    named = networks.keys() | bondings.keys()
    goal = target(current, running, wanted, named)
    return Change(current, goal, running, wanted, persistent)


def _devices(target: State) -> AbstractSet[str]:
    return target.devices.keys() | target.absent


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Changer:
    """Makes one change at a time; whoever calls it holds the lock of the network."""

    kernel: Kernel
    store: Store
    journal: Journal
    asked: Path = asked.PATH
    """Where is noted what it may touch, for an upgrade."""

    def make(self, change: Change, confirm: Callable[[], None] = _nothing) -> None:
        """Make a change. `confirm` waits for the engine's sign once the network stands, and raises
        when there is none; it is not asked when the network need not be touched.

        Raises NetworkChangeFailed, TimedOut, and what `confirm` raises.
        """
        # What is so already is not touched: its loss would be damage.
        touched = change.devices if change.operations else ()
        with asked.noted(self.asked, devices=touched):
            self._make(change, confirm)

    def _make(self, change: Change, confirm: Callable[[], None]) -> None:
        record = self._begin(change)
        if record is None:
            return
        try:
            self._lead_forward(change, record, confirm)
            record = self.journal.commit(record, _in_time)
        except BaseException as error:
            explained = _explained(error, rolled_back=self.roll_back(record))
            if explained is error:
                raise
            raise explained from error
        try:
            self.roll_forward(record)
        except OSError as error:
            raise _failed("store the configuration", error, rolled_back=False) from error
        _log.info("network change %s: committed", record.title)

    def roll_back(self, record: Record) -> bool:
        """Put the devices back and close the journal. Return whether that came to its end; if not,
        the journal stays open."""
        try:
            with (
                call.serving("rollback", ROLLBACK_LIMIT),
                asked.noted(self.asked, devices=_devices(record.before)),
            ):
                done = bring_back(self.kernel, record.before)
            self.journal.close()
        except (NotReached, VerbError, OSError) as error:
            _log.critical("network change %s: NOT put back: %s", record.title, error)
            return False
        except Exception as defect:
            # The journal is there for the next start, perhaps of a mended one.
            text = told(defect)
            _log.critical("network change %s: NOT put back\n%s", record.title, text)
            return False
        self.store.collect()
        _log.warning("network change %s: put back by %d operations", record.title, done)
        return True

    def roll_forward(self, record: Record) -> None:
        """Put the committed configuration into use and close the journal. Raises OSError."""
        if record.running:
            self.store.switch(RUNNING, record.running)
        if record.persistent:
            self.store.switch(PERSISTENT, record.persistent)
        self.journal.close()

    def _begin(self, change: Change) -> Record | None:
        """Write the trees and the journal; None when there is nothing to change at all."""
        operations = change.operations
        try:
            stored = replace(change.wanted, unwanted=frozenset())
            stale = stored != self.store.load(RUNNING)
            unsafe = change.persistent and stored != self.store.load(PERSISTENT)
            if not operations and not stale and not unsafe:
                return None
            tree = new_name()
            record = Record(
                method=_method(),
                flow_id=flow.current(),
                started=time.time(),
                before=_lasting(change.current.restricted(change.devices if operations else ())),
                running=self.store.prepare(RUNNING, stored, tree) if stale else "",
                persistent=self.store.prepare(PERSISTENT, stored, tree) if unsafe else "",
            )
            # What an earlier change left must not be taken for this one's: see Store.complete.
            self.store.collect(keep={record.running, record.persistent})
            self.journal.open(record)
        except OSError as error:
            self.store.collect()
            raise _failed("write the configuration", error, rolled_back=True) from error
        _log.info("network change %s: %d operations planned", record.title, len(operations))
        return record

    def _lead_forward(self, change: Change, record: Record, confirm: Callable[[], None]) -> None:
        done = reach(
            self.kernel,
            change.current,
            change.target,
            planned=change.operations,
            check=_in_time,
        )
        if done:
            _log.info("network change %s: %d operations done", record.title, done)
            confirm()


def _lasting(before: State) -> State:
    """Leave out what the kernel has set for a while only: of a bridge with STP, the ageing time
    after its topology changed (net/bridge/br_stp.c, __br_set_topology_change)."""
    devices = dict(before.devices)
    for name, device in before.devices.items():
        options = device.options or {}
        delay = int(options.get("forward_delay") or 0)
        if options.get("stp_state") == "1" and options.get("ageing_time") == str(2 * delay):
            kept = {key: value for key, value in options.items() if key != "ageing_time"}
            devices[name] = msgspec.structs.replace(device, options=kept)
    return msgspec.structs.replace(before, devices=devices)


def _explained(error: BaseException, *, rolled_back: bool) -> BaseException:
    """Return what the caller is told."""
    match error:
        case OperationFailed(operation=operation, errno=number, reason=reason):
            return NetworkChangeFailed(str(operation), number, reason, rolled_back)
        case NotReached(operation=words, reason=reason):
            return NetworkChangeFailed(words, 0, reason, rolled_back)
        case NetlinkFailed(errno=number, reason=reason):
            return NetworkChangeFailed("read the network", number, reason, rolled_back)
        case OSError():
            return _failed("change the network", error, rolled_back=rolled_back)
        case NetworkConfigError() | ServiceFailed() | TimedOut() if not rolled_back:
            return NetworkChangeFailed("end the change", 0, str(error), rolledBack=False)
    return error


def _in_time() -> None:
    served = call.current()
    if served:
        served.remaining()


def _method() -> str:
    served = call.current()
    return served.method if served else ""


def _failed(what: str, error: OSError, *, rolled_back: bool) -> NetworkChangeFailed:
    return NetworkChangeFailed(what, error.errno or 0, str(error), rolled_back)
