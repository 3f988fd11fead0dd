# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask the kernel by rtnetlink: one dump for each kind of object, none for a single device."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from supervdsm.network.kernel import addresses, classes, counters, links, routes
from supervdsm.network.kernel.model import Address, Counters, Link, Route, Rule
from supervdsm.network.kernel.socket import KernelError, NetlinkSocket
from supervdsm.network.qos import HfscClass
from vdsm_contract.errors import NetlinkFailed

_T = TypeVar("_T")


class Netlink:
    """Dumps of this process' network namespace; see `connected`."""

    def __init__(self, socket: NetlinkSocket) -> None:
        self._socket = socket

    def links(self) -> list[Link]:
        """Dump all devices."""
        dump = self._socket.dump(links.RTM_GETLINK, links.ALL, links.WITHOUT_COUNTERS)
        return [links.decode(message) for message in dump]

    def addresses(self) -> list[Address]:
        """Dump all IP addresses, those of a device in the kernel's order."""
        found: list[Address] = []
        for family, version in addresses.VERSIONS.items():
            dump = self._socket.dump(addresses.RTM_GETADDR, addresses.all_of(family))
            # A kernel without IPv6 tells all addresses there are.
            found += (one for one in _decoded(addresses.decode, dump) if one.version == version)
        return found

    def routes(self) -> list[Route]:
        """Dump the unicast routes of all tables but those that the kernel made by itself."""
        dump = self._socket.dump(routes.RTM_GETROUTE, routes.UNICAST)
        return [
            route
            for message in dump
            if not routes.is_kernels_own(message)
            for route in routes.decode(message)
        ]

    def default_routes(self) -> list[Route]:
        """Dump the default routes of all tables, whoever made them."""
        dump = self._socket.dump(routes.RTM_GETROUTE, routes.UNICAST)
        return [
            route
            for message in dump
            if routes.is_default(message)
            for route in routes.decode(message)
        ]

    def rules(self) -> list[Rule]:
        """Dump all routing rules that lead to a table."""
        dump = self._socket.dump(routes.RTM_GETRULE, routes.ALL_RULES)
        return list(_decoded(routes.decode_rule, dump))

    def hfsc_classes(self, link: Link) -> list[HfscClass]:
        """Dump the HFSC classes of a device; none when it has another discipline, or is gone."""
        if link.qdisc != classes.HFSC:
            return []
        try:
            dump = self._socket.dump(classes.RTM_GETTCLASS, classes.of(link.index))
        except KernelError as error:
            if error.errno == errno.ENODEV:
                return []
            raise
        return list(_decoded(classes.decode, dump))

    def counters(self) -> dict[int, Counters]:
        """Dump the counters of all devices, by the index of the device."""
        dump = self._socket.dump(counters.RTM_GETSTATS, counters.OF_LINKS)
        return dict(map(counters.decode, dump))


@contextmanager
def connected() -> Iterator[Netlink]:
    """Connect to the kernel until the block ends. Raises NetlinkFailed, also out of the block."""
    with typed(), NetlinkSocket() as netlink:
        yield Netlink(netlink)


@contextmanager
def typed() -> Iterator[None]:
    """Raise NetlinkFailed for an OSError of the block."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise NetlinkFailed(errno=error.errno or 0, reason=reason) from error


def _decoded(decode: Callable[[memoryview], _T | None], dump: Iterable[memoryview]) -> Iterator[_T]:
    """Decode messages; those that stand for nothing are left out."""
    for message in dump:
        decoded = decode(message)
        if decoded is not None:
            yield decoded
