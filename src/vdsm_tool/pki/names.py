# SPDX-License-Identifier: GPL-2.0-or-later
"""The names and addresses that this host is known by."""

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from pyroute2 import IPRoute

from vdsm_tool.pki.authority import is_valid

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_names(extra: Iterable[str] = ()) -> list[str]:
    """Return the names for this host's certificate: `extra`, then its names, then its addresses.

    An address that means something on one link only (link-local) cannot be in a certificate.
    """
    own = [*_resolved(socket.gethostname()), *_addresses()]
    # What was asked for must be right, and is checked later; a host may be called anything.
    names = [*extra, *filter(is_valid, own), *LOOPBACK]
    return list(dict.fromkeys(names))


def _resolved(name: str) -> list[str]:
    """Return the full name of the host, when it has one, and its short name."""
    try:
        found = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)
    except OSError:
        return [name]  # a host without DNS still has its own name
    return [found[0][3], name]


def _addresses() -> list[str]:
    with IPRoute() as netlink:
        # On a point-to-point link IFA_ADDRESS is the peer's, see rtnetlink(7).
        texts = [m.get_attr("IFA_LOCAL") or m.get_attr("IFA_ADDRESS") for m in netlink.get_addr()]
    addresses = [ip_address(text) for text in texts]
    return [str(a) for a in addresses if not (a.is_loopback or a.is_link_local)]
