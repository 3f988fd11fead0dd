# SPDX-License-Identifier: GPL-2.0-or-later
"""Tell the neighbours which hardware addresses the IP addresses of changed devices have now.

Who spoke with the host before a change has its old hardware address in a cache, and where that is
nobody's now it speaks to nobody for half a minute. Sources: RFC 5227, 2.3 (ARP announcement), RFC
4861, 7.2.6 (unsolicited neighbor advertisement).
"""

import ipaddress
import logging
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Final

from supervdsm.network.plan.state import State

_log: Final = logging.getLogger(__name__)
PAUSES: Final = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each time that it is told: the link of a NIC that was closed on the way may take
seconds, and so does the check of a new IPv6 address."""

_ETHERNET: Final = 1
"""ARPHRD_ETHER, of <linux/if_arp.h>, and ARP's number of it."""
_ARP: Final = 0x0806
_IPV4: Final = 0x0800
_ARP_REQUEST: Final = 1
_BROADCAST: Final = b"\xff" * 6
_NEIGHBOR_ADVERTISEMENT: Final = 136
_OVERRIDE: Final = 0x2000_0000
_TARGET_HWADDR: Final = 2
"""The option of an advertisement; its length counts in 8 bytes."""
_ALL_NODES: Final = "ff02::1"
_MAX_HOPS: Final = 255
"""Neighbor discovery takes no packet that a router may have passed on."""


class Announcer:
    """Tells of one state at a time, in a thread: a newer state is told instead of the last one.

    `pauses` are seconds before each time.
    """

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = pauses
        self._superseded = threading.Event()

    def announce(self, state: State) -> None:
        """Tell of the addresses that devices of a state have for good, from now on."""
        self._superseded.set()
        self._superseded = threading.Event()
        found = [
            (device.name, address.cidr.partition("/")[0])
            for device in state.devices.values()
            for address in device.addresses or ()
            if device.up and not address.lifetime
        ]
        if not found:
            return
        arguments = (found, self._superseded)
        thread = threading.Thread(target=self._tell, args=arguments, name="announce", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            _log.warning("Nobody is told of the addresses: %s", error)

    def _tell(self, found: Sequence[tuple[str, str]], superseded: threading.Event) -> None:
        for pause in self._pauses:
            if superseded.wait(pause):
                return
            for device, address in found:
                try:
                    _send(device, address)
                except OSError as error:
                    # No carrier, gone, or IPv6's check of the address is not over: the next time.
                    _log.debug("%s of %s was not announced: %s", address, device, error)


def arp_announcement(hwaddr: bytes, address: ipaddress.IPv4Address) -> bytes:
    """Return the frame that tells all of an IPv4 address."""
    ethernet = struct.pack("!6s6sH", _BROADCAST, hwaddr, _ARP)
    head = struct.pack("!HHBBH", _ETHERNET, _IPV4, len(hwaddr), len(address.packed), _ARP_REQUEST)
    return ethernet + head + hwaddr + address.packed + bytes(6) + address.packed


def neighbor_advertisement(hwaddr: bytes, address: ipaddress.IPv6Address) -> bytes:
    """Return the ICMPv6 message that tells all of an IPv6 address, without its checksum."""
    head = struct.pack("!BBHI", _NEIGHBOR_ADVERTISEMENT, 0, 0, _OVERRIDE)
    return head + address.packed + struct.pack("!BB", _TARGET_HWADDR, 1) + hwaddr


def _send(device: str, text: str) -> None:
    address = ipaddress.ip_address(text)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.bind((device, 0))
        *_, kind, hwaddr = packets.getsockname()
        if kind != _ETHERNET:
            return
        if isinstance(address, ipaddress.IPv4Address):
            packets.send(arp_announcement(hwaddr, address))
            return
    index = socket.if_nametoindex(device)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as messages:
        messages.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _MAX_HOPS)
        messages.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        messages.bind((text, 0))
        messages.sendto(neighbor_advertisement(hwaddr, address), (_ALL_NODES, 0, 0, index))
