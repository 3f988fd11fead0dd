# SPDX-License-Identifier: GPL-2.0-or-later
"""IP addresses: RTM_NEWADDR. Source: rtnetlink(7), <linux/if_addr.h>. No I/O."""

import socket
import struct
from typing import Final

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.model import Address
from supervdsm.network.kernel.shapes import Decoder, Fields, Number, Raw

RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22

HEADER: Final = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index."""
_decoder: Final = Decoder(
    "=16xBBBBI",
    ("family", "prefixlen", "low_flags", "scope", "index"),
    {
        1: Raw("address"),
        2: Raw("local"),
        4: Raw("broadcast"),
        6: Fields({"valid": (4, "I")}),
        8: Number("flags"),
        11: Number("proto"),
    },
)
"""IFA_ADDRESS, LOCAL, BROADCAST, CACHEINFO (struct ifa_cacheinfo), FLAGS, PROTO."""

_IFA_F_SECONDARY: Final = 0x01
"""IPv4: not the primary address of its subnet. IPv6 has the same bit for a temporary address."""
_IFA_F_PERMANENT: Final = 0x80
_RT_SCOPE_LINK: Final = 253
_IFAPROT_KERNEL_RA: Final = 2

VERSIONS: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 6}


def all_of(family: int) -> bytes:
    """Return the fixed part of a dump of the addresses of one family.

    A dump of both would be interrupted for a while after devices came up: IPv6 addresses change
    then (duplicate address detection).
    """
    return HEADER.pack(family, 0, 0, 0, 0)


def decode(message: memoryview) -> Address | None:
    """Decode RTM_NEWADDR; None for an address of another family."""
    values = _decoder.decode(message)
    get = values.get
    version = VERSIONS.get(values["family"])
    # IFA_LOCAL is our end of a point-to-point link, and IFA_ADDRESS the other; IPv6 has the first
    # only on such links.
    far = get("address")
    local = get("local") or far
    if version is None or local is None:
        return None
    broadcast = get("broadcast")
    # The header has only the lower 8 flags.
    flags = values.get("flags", values["low_flags"])
    dynamic = not flags & _IFA_F_PERMANENT
    return Address(
        index=values["index"],
        version=version,
        address=attributes.address(local),
        prefixlen=values["prefixlen"],
        link_local=version == 6 and values["scope"] == _RT_SCOPE_LINK,
        secondary=bool(flags & _IFA_F_SECONDARY),
        dynamic=dynamic,
        autoconf=get("proto") == _IFAPROT_KERNEL_RA,
        # At least a second: 0 stands for ever.
        lifetime=max(1, values.get("valid", 1)) if dynamic else 0,
        peer=attributes.address(far) if far and far != local else "",
        broadcast=attributes.address(broadcast) if broadcast else "",
    )
