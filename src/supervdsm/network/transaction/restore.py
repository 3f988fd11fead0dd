# SPDX-License-Identifier: GPL-2.0-or-later
"""Bring back the persistent configuration: once in a boot, before supervdsm is ready.

All of it is one change. When that fails, halves of it are tried, and halves of these, so that a
network that cannot be had does not keep the host from the others. Every name that was not restored
is in the report with its reason. Nobody waits for the engine, and no hook is run.
"""

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from supervdsm.common import call
from supervdsm.common.text import quote
from supervdsm.network.config import Configuration, Device
from supervdsm.network.request.attributes import attributes, bond_attributes
from supervdsm.network.transaction.available import available, existing, nics, reduced
from supervdsm.network.transaction.boot import BootMark
from supervdsm.network.transaction.change import Changer, proposed
from supervdsm.network.transaction.recover import Recovery
from supervdsm.network.transaction.store import PERSISTENT, RUNNING
from vdsm_contract.errors import (
    DeviceUnavailable,
    NetlinkFailed,
    NetworkChangeFailed,
    NetworkConfigError,
    ServiceFailed,
    TimedOut,
)
from vdsm_contract.types import ReducedBond, RestoreReport

_log: Final = logging.getLogger("supervdsm.audit")
BOOT_LIMIT: Final = 600.0
"""Seconds for all of it at a boot."""
NIC_SECONDS: Final = 10.0
"""How long NICs may take to appear: udev gives them their names while the host boots."""
_POLL_SECONDS: Final = 0.1
_ATTEMPTS: Final = 3
"""A supervdsm that dies each time it restores would never be ready."""

SetNumvfs = Callable[[str, int], None]
"""Gives a NIC, by its name, a number of virtual functions. Raises DeviceUnavailable."""


@dataclass(frozen=True)
class Restore:
    """Restores once in the boot that `mark` knows of. `nic_seconds` is how long it waits for
    NICs."""

    changer: Changer
    recovery: Recovery
    mark: BootMark
    set_numvfs: SetNumvfs
    nic_seconds: float = NIC_SECONDS

    def at_boot(self) -> None:
        """Restore, unless this boot has. What goes wrong is logged: it must not keep supervdsm from
        serving."""
        if self.mark.restored:
            return
        if self.mark.attempts >= _ATTEMPTS:
            _log.critical("networks are NOT restored: supervdsm died at it %d times", _ATTEMPTS)
            self._finish()
            return
        try:
            self.mark.begin()
        except OSError as error:
            # Without it the next start would restore again, and undo what was set up since.
            _log.critical("networks are NOT restored, for that could not be noted: %s", error)
            return
        try:
            with call.serving("restore at boot", BOOT_LIMIT):
                _tell(self._restore(alive=False))
        except (NetworkChangeFailed, NetlinkFailed, ServiceFailed, TimedOut, OSError) as error:
            _log.critical("networks are NOT restored: %s", error)
        finally:
            self._finish()

    def restore(self, *, force: bool) -> RestoreReport:
        """Restore, unless this boot has and `force` is not given.

        Raises NetworkChangeFailed, NetlinkFailed, ServiceFailed and TimedOut.
        """
        restored = self.mark.restored
        if restored and not force:
            return RestoreReport(skipped=True, restored=[], dropped={}, reduced=[])
        if force:
            self.recovery.give_up()
        else:
            self.recovery.settle()
        try:
            report = self._restore(alive=restored)
        except OSError as error:
            raise NetworkChangeFailed(
                "read the configuration", error.errno or 0, str(error), rolledBack=True
            ) from error
        self._finish()
        _tell(report)
        return report

    def _finish(self) -> None:
        try:
            self.mark.finish()
        except OSError as error:
            _log.critical("the next start restores networks again: %s", error)

    def _restore(self, *, alive: bool) -> RestoreReport:
        """`alive` says that the running configuration runs now, and not only before the boot."""
        store = self.changer.store
        persistent, running = store.load(PERSISTENT), store.load(RUNNING)
        dropped: dict[str, str] = {}
        if persistent == running == Configuration():
            return RestoreReport(skipped=False, restored=[], dropped=dropped, reduced=[])
        end = time.monotonic() + self.nic_seconds
        devices = self._virtual_functions(persistent, dropped, end)
        persistent = replace(persistent, devices=devices)
        self._await(nics(persistent), end)
        state = self.changer.kernel.read()
        present = {name for name, device in state.devices.items() if device.kind == "nic"}
        wanted, missing = available(persistent, present)
        dropped |= missing
        base = running if alive else existing(running, state)
        base = replace(base, devices=wanted.devices)
        if base != running:
            store.save(RUNNING, base)
        restored = _Attempts(self.changer, wanted, dropped).make(base)
        lacking = [
            ReducedBond(bond, missing)
            for bond, missing in reduced(persistent, wanted).items()
            if bond in restored
        ]
        return RestoreReport(skipped=False, restored=restored, dropped=dropped, reduced=lacking)

    def _virtual_functions(
        self, configuration: Configuration, dropped: dict[str, str], end: float
    ) -> dict[str, Device]:
        """Make the virtual functions: networks may be built on them. Return the devices that have
        theirs."""
        self._await(frozenset(configuration.devices), end)
        made = {}
        for name, device in configuration.devices.items():
            try:
                self.set_numvfs(name, device.numvfs)
            except DeviceUnavailable as error:
                dropped[name] = error.reason
            else:
                made[name] = device
        return made

    def _await(self, names: frozenset[str], end: float) -> None:
        """Wait until the devices `names` are there, until `end` on time.monotonic()'s clock at
        most."""
        while missing := sorted(name for name in names if not _is_there(name)):
            if time.monotonic() > end:
                _log.warning("not there after %g s: %s", self.nic_seconds, ", ".join(missing))
                return
            time.sleep(_POLL_SECONDS)


@dataclass(frozen=True)
class _Attempts:
    """Brings back `wanted`, or as much of it as can be; `dropped` gets the reasons for the rest."""

    changer: Changer
    wanted: Configuration
    dropped: dict[str, str]
    restored: set[str] = field(default_factory=set)

    def make(self, running: Configuration) -> list[str]:
        """Remove what is not wanted, set up what is; return the names, sorted."""
        extra = Configuration(
            {n: one for n, one in running.networks.items() if n not in self.wanted.networks},
            {n: one for n, one in running.bonds.items() if n not in self.wanted.bonds},
        )
        self._try(_units(self.wanted), extra)
        return sorted(self.restored)

    def _try(self, units: Sequence[str], extra: Configuration) -> None:
        error = self._attempt(units, extra)
        removes = bool(extra.networks or extra.bonds)
        if error is None:
            return
        _log.error("restore: %d of the networks fail together: %s", len(units), error)
        if units and removes:
            self._try([], extra)
            self._try(units, Configuration())
        elif len(units) > 1:
            middle = len(units) // 2
            self._try(units[:middle], extra)
            self._try(units[middle:], extra)
        else:
            self.dropped.update(dict.fromkeys(units, str(error)))

    def _attempt(
        self, units: Sequence[str], extra: Configuration
    ) -> NetworkConfigError | NetworkChangeFailed | None:
        remove: dict[str, object] = {"remove": True}
        networks = {n: self.wanted.networks[n] for n in units if n in self.wanted.networks}
        bonds = {n: self.wanted.bonds[n] for n in units if n in self.wanted.bonds}
        for network in networks.values():
            if network.bonding:
                bonds[network.bonding] = self.wanted.bonds[network.bonding]
        try:
            change = proposed(
                self.changer.kernel.read(),
                self.changer.store.load(RUNNING),
                {n: attributes(one) for n, one in networks.items()}
                | dict.fromkeys(extra.networks, remove),
                {n: bond_attributes(one) for n, one in bonds.items()}
                | dict.fromkeys(extra.bonds, remove),
            )
            self.changer.make(change)
        except NetworkConfigError as error:
            return error
        except NetworkChangeFailed as error:
            if not error.rolledBack:
                raise  # nothing else can be tried on such ground
            return error
        self.restored.update(networks, bonds)
        return None


def _units(wanted: Configuration) -> list[str]:
    """Return the names that are restored one without another: networks, each with its bond, and the
    bonds that carry none."""
    used = {network.bonding for network in wanted.networks.values()}
    return [*wanted.networks, *(name for name in wanted.bonds if name not in used)]


def _is_there(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def _tell(report: RestoreReport) -> None:
    for name, reason in report.dropped.items():
        _log.error("restore: %s is NOT restored: %s", quote(name, 256), quote(reason, 1024))
    for one in report.reduced:
        missing = quote(", ".join(one.missing), 1024)
        _log.warning("restore: %s is restored without %s", quote(one.bond, 256), missing)
    if report.restored:
        _log.info("restore: %d networks and bonds are restored", len(report.restored))
