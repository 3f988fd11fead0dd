# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed and duplex of devices, as ethtool(8) tells them.

Source: Documentation/networking/ethtool-netlink.rst (LINKMODES_GET), <linux/genetlink.h>. A device
is asked only when it matters: the driver may have to ask its firmware, and a VLAN passes the
question on to the device below.
"""

import errno
import logging
import struct
from collections.abc import Iterable
from typing import Final

from supervdsm.network.kernel import attributes, netlink
from supervdsm.network.kernel.model import LinkMode
from supervdsm.network.kernel.socket import (
    HEADER,
    NETLINK_GENERIC,
    KernelError,
    NetlinkSocket,
    Refusal,
    message,
)

_log: Final = logging.getLogger(__name__)

_GENL: Final = struct.Struct("=BBxx")
"""struct genlmsghdr: command, version."""
_ATTRIBUTES: Final = HEADER.size + _GENL.size
_GENL_ID_CTRL: Final = 16
_CTRL_CMD_GETFAMILY: Final = 3
_CTRL_ATTR_FAMILY_ID: Final = 1
_CTRL_ATTR_FAMILY_NAME: Final = 2

_ETHTOOL_MSG_LINKMODES_GET: Final = 4
_HEADER: Final = 1
"""ETHTOOL_A_LINKMODES_HEADER."""
_DEV_INDEX: Final = 1
_FLAGS: Final = 3
_COMPACT_BITSETS: Final = 1
_INDEX: Final = struct.Struct("=I")
_SPEED: Final = 5
_DUPLEX: Final = 6
_WANTED: Final = frozenset({_SPEED, _DUPLEX})

_UNKNOWN_SPEEDS: Final = frozenset({65535, 4294967295})
"""What drivers say for "unknown" in 16 and in 32 bits."""
_DUPLEX_NAMES: Final = {0: "half", 1: "full"}
UNKNOWN: Final = LinkMode()
_RECEIVE_BYTES: Final = 1024 * 1024


def link_modes(indexes: Iterable[int]) -> dict[int, LinkMode]:
    """Return the modes of those of the devices that have one. Raises NetlinkFailed."""
    wanted = list(indexes)
    if not wanted:
        return {}
    with netlink.typed(), NetlinkSocket(NETLINK_GENERIC) as socket:
        family = _family(socket)
        if family is None:
            return {}
        socket.set_receive_buffer(_RECEIVE_BYTES)
        start, end = _request(family)
        answers = socket.ask_batch([start + _INDEX.pack(index) + end for index in wanted])
    return {
        index: decode(answer)
        for index, answer in zip(wanted, answers, strict=True)
        # Refused: the device is gone, or its driver has no such thing.
        if answer is not None and not isinstance(answer, Refusal)
    }


def _family(socket: NetlinkSocket) -> int | None:
    """Return the number of the family `ethtool`; None when the kernel has none."""
    name = attributes.text(_CTRL_ATTR_FAMILY_NAME, "ethtool")
    request = message(_GENL_ID_CTRL, 0, _GENL.pack(_CTRL_CMD_GETFAMILY, 1) + name)
    try:
        (answer,) = socket.request(request)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        _log.warning("This kernel has no ethtool netlink: speeds are not known")
        return None
    return attributes.number(attributes.table(answer, _ATTRIBUTES)[_CTRL_ATTR_FAMILY_ID])


def _request(family: int) -> tuple[bytes, bytes]:
    """Return what is before and after the index of the device in a request."""
    header = attributes.nested(
        _HEADER, attributes.u32(_DEV_INDEX, 0), attributes.u32(_FLAGS, _COMPACT_BITSETS)
    )
    packed = message(family, 0, _GENL.pack(_ETHTOOL_MSG_LINKMODES_GET, 1) + header)
    at = _ATTRIBUTES + 2 * attributes.HEADER.size
    return packed[:at], packed[at + _INDEX.size :]


def decode(answer: memoryview) -> LinkMode:
    """Decode the reply to LINKMODES_GET."""
    found = attributes.select(answer, _ATTRIBUTES, _WANTED)
    speed = attributes.number(found.get(_SPEED, b""))
    duplex = attributes.number(found.get(_DUPLEX, b"\xff"))
    return LinkMode(
        speed=0 if speed in _UNKNOWN_SPEEDS else speed,
        duplex=_DUPLEX_NAMES.get(duplex, UNKNOWN.duplex),
    )
