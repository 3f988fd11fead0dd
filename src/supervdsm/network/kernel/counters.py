# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters of devices: RTM_NEWSTATS, a fifth of the bytes of RTM_NEWLINK.

Source: <linux/if_link.h> (struct if_stats_msg, struct rtnl_link_stats64). No I/O.
"""

import socket
import struct
from typing import Final

from supervdsm.network.kernel.model import Counters
from supervdsm.network.kernel.shapes import Decoder, Fields

RTM_GETSTATS: Final = 94
_IFLA_STATS_LINK_64: Final = 1

OF_LINKS: Final = struct.pack("=BxHII", socket.AF_UNSPEC, 0, 0, 1 << (_IFLA_STATS_LINK_64 - 1))
"""struct if_stats_msg: family, padding, index, what is wanted."""

_NAMES: Final = ("rx", "tx", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
_decoder: Final = Decoder(
    "=20xI4x",
    ("index",),
    # Before them: the packets received and sent.
    {_IFLA_STATS_LINK_64: Fields({name: (16 + 8 * i, "Q") for i, name in enumerate(_NAMES)})},
)


def decode(message: memoryview) -> tuple[int, Counters]:
    """Decode RTM_NEWSTATS: the index of the device, and its counters."""
    values = _decoder.decode(message)
    return values["index"], Counters(*(values.get(name, 0) for name in _NAMES))
