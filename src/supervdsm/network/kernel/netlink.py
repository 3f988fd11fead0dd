# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask the kernel by rtnetlink: one dump for each kind of object, none for a single device.

pyroute2's synchronous IPRoute holds four file descriptors and an event loop of its own, so it is
opened for one call in one thread, and closed.
"""

import errno
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from pyroute2 import IPRoute, NetlinkError

from supervdsm.network.kernel import decode
from supervdsm.network.kernel.decode import Message
from supervdsm.network.kernel.model import Address, DefaultRoute, Link
from supervdsm.network.qos import HfscClass
from vdsm_contract.errors import NetlinkFailed

_log = logging.getLogger(__name__)

_NLM_F_DUMP_INTR: Final = 0x10
"""The kernel changed something during the dump (netlink(7)); pyroute2 does not look at it."""
_DUMPS: Final = 5


class Netlink:
    """A connection to the kernel; see `connected`."""

    def __init__(self, socket: IPRoute) -> None:
        self._socket = socket

    def links(self) -> list[Message]:
        """Dump all devices, as messages: what is needed of them differs."""
        return _consistent("links", self._socket.get_links)

    def addresses(self) -> tuple[Address, ...]:
        """Dump all IP addresses."""
        return tuple(decode.addresses(_consistent("addresses", self._socket.get_addr)))

    def default_routes(self) -> tuple[DefaultRoute, ...]:
        """Dump the default routes of all tables."""
        return tuple(decode.default_routes(_consistent("routes", self._socket.get_routes)))

    def hfsc_classes(self, link: Link) -> tuple[HfscClass, ...]:
        """Dump the HFSC classes of a device; none when it is gone."""
        try:
            messages = list(self._socket.get_classes(link.index))
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return ()
            raise
        return tuple(decode.hfsc_classes(messages))


@contextmanager
def connected() -> Iterator[Netlink]:
    """Connect to the kernel until the block ends. Raises NetlinkFailed, also out of the block."""
    try:
        with IPRoute() as socket:
            yield Netlink(socket)
    except NetlinkError as error:
        raise NetlinkFailed(errno=error.code, reason=str(error.args[-1])) from error
    except OSError as error:
        raise NetlinkFailed(errno=error.errno or 0, reason=error.strerror or str(error)) from error


def _consistent(what: str, dump: Callable[[], Iterable[Message]]) -> list[Message]:
    """Dump until nothing changed meanwhile.

    On a host that never rests, the last dump is used: at most it lacks what was just made.
    """
    messages: list[Message] = []
    for _ in range(_DUMPS):
        messages = list(dump())
        if not any(message["header"]["flags"] & _NLM_F_DUMP_INTR for message in messages):
            return messages
    _log.warning("The kernel's %s changed during each of %d dumps; using the last", what, _DUMPS)
    return messages
