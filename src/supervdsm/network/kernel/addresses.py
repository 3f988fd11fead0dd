# SPDX-License-Identifier: GPL-2.0-or-later
"""IP addresses: RTM_NEWADDR. Source: rtnetlink(7), <linux/if_addr.h>. No I/O."""

import socket
import struct
from typing import Final

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.model import Address

RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22

HEADER: Final = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index."""
_MESSAGE: Final = struct.Struct("=16xBBBBI")

_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_CACHEINFO: Final = 6
_IFA_FLAGS: Final = 8
_IFA_PROTO: Final = 11
_WANTED: Final = frozenset({_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO, _IFA_FLAGS, _IFA_PROTO})

_IFA_F_SECONDARY: Final = 0x01
"""IPv4: not the primary address of its subnet. IPv6 has the same bit for a temporary address."""
_IFA_F_PERMANENT: Final = 0x80
_RT_SCOPE_LINK: Final = 253
_IFAPROT_KERNEL_RA: Final = 2
_VALID: Final = struct.Struct("=4xI")
"""struct ifa_cacheinfo: after the preferred lifetime, the valid one."""

_VERSIONS: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 6}

ALL: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0)


def decode(message: memoryview) -> Address | None:
    """Decode RTM_NEWADDR; None for an address of another family."""
    family, prefixlen, low, scope, index = _MESSAGE.unpack_from(message)
    found = attributes.select(message, _MESSAGE.size, _WANTED)
    # IFA_LOCAL is our end of a point-to-point link, and IFA_ADDRESS the other; IPv6 has the first
    # only on such links.
    local = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    version = _VERSIONS.get(family)
    if version is None or local is None:
        return None
    # The header has only the lower 8 flags.
    flags = attributes.number(found[_IFA_FLAGS]) if _IFA_FLAGS in found else low
    origin = attributes.number(found[_IFA_PROTO]) if _IFA_PROTO in found else 0
    dynamic = not flags & _IFA_F_PERMANENT
    return Address(
        index=index,
        version=version,
        address=attributes.address(local),
        prefixlen=prefixlen,
        link_local=version == 6 and scope == _RT_SCOPE_LINK,
        secondary=bool(flags & _IFA_F_SECONDARY),
        dynamic=dynamic,
        autoconf=origin == _IFAPROT_KERNEL_RA,
        lifetime=_lifetime(found.get(_IFA_CACHEINFO)) if dynamic else 0,
    )


def _lifetime(cacheinfo: memoryview | None) -> int:
    """Return the seconds that are left, at least one: 0 stands for ever."""
    return max(1, _VALID.unpack_from(cacheinfo)[0]) if cacheinfo is not None else 1
