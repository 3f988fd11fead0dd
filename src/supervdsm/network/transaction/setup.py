# SPDX-License-Identifier: GPL-2.0-or-later
"""setupNetworks, from the request to the answer; and what else vdsm asks of configurations.

Nothing is touched before the request has passed every check, twice if a hook may have rewritten it.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from supervdsm.common import call
from supervdsm.network.config import Configuration, Options
from supervdsm.network.plan import planner
from supervdsm.network.request import options as request_options
from supervdsm.network.request.attributes import attributes, bond_attributes
from supervdsm.network.request.refusal import Code, refusal
from supervdsm.network.transaction.change import Change, Changer, proposed
from supervdsm.network.transaction.connectivity import Confirmation
from supervdsm.network.transaction.hooks import Hooks, Request
from supervdsm.network.transaction.recover import Recovery
from supervdsm.network.transaction.store import RUNNING
from vdsm_contract.errors import NetworkChangeFailed

_log: Final = logging.getLogger(__name__)


class Setup:
    """Serves changes of networks, one at a time: whoever calls holds the lock of the network."""

    def __init__(
        self, changer: Changer, recovery: Recovery, hooks: Hooks, confirmation: Confirmation
    ) -> None:
        self._changer = changer
        self._recovery = recovery
        self._hooks = hooks
        self._confirmation = confirmation

    def setup(self, request: Request) -> None:
        """Change networks and bonds as asked, all or nothing.

        Raises NetworkConfigError, NetworkChangeFailed, HookFailed, NetlinkFailed and TimedOut.
        """
        try:
            self._setup(request)
        except BaseException:
            self._hooks.after(request, failed=True)
            raise
        self._hooks.after(request, failed=False)

    def plan(self, request: Request) -> list[str]:
        """Say what `setup` would do, and do nothing. Raises NetworkConfigError, NetlinkFailed."""
        request_options.parse(request.options)
        change = proposed(
            self._changer.kernel.read_anyway(),
            self._changer.store.running(),
            request.networks,
            request.bondings,
        )
        return [str(operation) for operation in planner.plan(change.current, change.target)]

    def persist(self) -> None:
        """Make the running configuration the one that a boot restores. Raises
        NetworkChangeFailed."""
        self._recovery.settle()
        try:
            self._changer.store.persist()
        except OSError as error:
            what = "make the running configuration persistent"
            raise NetworkChangeFailed(
                what, error.errno or 0, str(error), rolledBack=True
            ) from error

    def _setup(self, request: Request) -> None:
        self._recovery.settle()
        options = request_options.parse(request.options)
        try:
            running = self._changer.store.load(RUNNING)
        except OSError as error:
            what = "read the running configuration"
            raise NetworkChangeFailed(
                what, error.errno or 0, str(error), rolledBack=True
            ) from error
        change = self._proposed(request, running, options)
        canonical = _canonical(request, change.wanted)
        rewritten = self._hooks.before(canonical)
        if rewritten is not canonical:
            # Hooks ran: they may have changed the request, or the host.
            options = request_options.parse(rewritten.options)
            change = self._proposed(rewritten, running, options)
        self._changer.make(change, self._confirm(options))

    def _proposed(self, request: Request, running: Configuration, options: Options) -> Change:
        return proposed(
            self._changer.kernel.read(),
            running,
            request.networks,
            request.bondings,
            persistent=options.commit_on_success,
        )

    def _confirm(self, options: Options) -> Callable[[], None]:
        def confirm() -> None:
            if not options.connectivity_check:
                return
            since = time.monotonic()
            served = call.current()
            left = served.remaining() if served else options.timeout
            if not self._confirmation.wait(since, min(options.timeout, left)):
                if served:
                    served.remaining()  # it is the call that came to its end
                reason = f"the engine was not heard from within {options.timeout} s of the change"
                raise refusal(Code.LOST_CONNECTION, "", reason)
            _log.info("the engine was heard from %.1f s after the change", time.monotonic() - since)

        return confirm


def _canonical(request: Request, wanted: Configuration) -> Request:
    """Return the request in oVirt's canonical attributes, as hooks expect it."""
    networks, bonds = wanted.networks, wanted.bonds
    return Request(
        {
            n: attributes(networks[n]) if n in networks else raw
            for n, raw in request.networks.items()
        },
        {
            n: bond_attributes(bonds[n]) if n in bonds else raw
            for n, raw in request.bondings.items()
        },
        request.options,
    )
