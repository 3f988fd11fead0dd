# SPDX-License-Identifier: GPL-2.0-or-later
"""The program of `vdsm-dhcp@INSTANCE.service`: turns a wish into dhcpcd's configuration and becomes
dhcpcd(8).

One dhcpcd for each device: it touches no other, and a crash takes none of the others along.
Sources: dhcpcd.conf(5), and dhcpcd's own code where that page is silent.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from supervdsm.network.services.wishes import Wish, Wishes

HOOK: Final = Path("/opt/venv/bin/vdsm-dhcp-hook")
_DHCPCD: Final = "dhcpcd"
_CONFIGURATION: Final = Path("/run/dhcpcd.conf")
"""On the container's own tmpfs."""

_BOTH: Final = (
    # Addresses and routes stay when the client ends: it crashed, or is replaced by a newer one.
    # Who turns DHCP off gives the lease back (SIGALRM), and that takes them away.
    "persistent",
    # Never give up: there may be no server yet, or no cable.
    "timeout 0",
    # Without an answer, use a lease that has not expired: the host was rebooted, or the cable
    # was pulled, while the server is away.
    "lastlease",
    "nodelay",
    # The server hears the host's name, and no name and version of this program.
    "hostname",
    "vendorclassid",
    # Modules of dhcpcd that wait for udev: supervdsm starts a client when its device is there.
    "nodev",
)
_IPV4: Final = (
    # The identity that servers know: by this address they reserve, and the lease of whoever
    # configured the host before vdsm becomes ours.
    "clientid",
    # To probe for a conflict takes 5 s, longer than vdsm waits for the engine by default; and
    # servers probe before they offer.
    "noarp",
    "noipv4ll",
    "require dhcp_server_identifier",
)
_IPV6: Final = (
    # Router advertisements are the kernel's: prefixes, routes, and addresses by SLAAC.
    "noipv6rs",
    "ia_na",
    # Where the kernel no longer makes link-local addresses, the same ones as it would.
    "slaac hwaddr",
)
_ROUTES_OF_OTHERS: Final = "classless_static_routes, static_routes, ms_classless_static_routes"


def configuration(wish: Wish, hook: Path, notify_socket: str = "") -> str:
    """Return the text of dhcpcd.conf for a client; its hook tells `notify_socket` when it is up."""
    return "".join(f"{line}\n" for line in _lines(wish, hook, notify_socket))


def _lines(wish: Wish, hook: Path, notify_socket: str) -> Iterator[str]:
    dhcp = wish.dhcp
    yield f"script {hook}"
    if notify_socket:
        yield f"env NOTIFY_SOCKET={notify_socket}"
    yield from _BOTH
    if dhcp.ipv4:
        yield from _IPV4
    else:
        yield "ipv6only"
    if dhcp.ipv6:
        yield from _IPV6
    else:
        yield "ipv4only"
    if dhcp.default_route:
        yield "option routers, classless_static_routes, domain_name_servers"
        yield "option dhcp6_name_servers"
    else:
        # The hook puts the gateway into the table of this device's source routes.
        yield "option routers"
        yield f"nooption {_ROUTES_OF_OTHERS}"
        yield "nogateway"


def main() -> int:
    """Run the client INSTANCE: vdsm-dhcp-client INSTANCE. Returns only when it cannot."""
    if len(sys.argv) != 2:
        print("Usage: vdsm-dhcp-client INSTANCE", file=sys.stderr)
        return 2
    try:
        _become_dhcpcd(Wishes().read(sys.argv[1]))
    except (OSError, ValueError) as error:
        print(f"vdsm-dhcp-client: {error}", file=sys.stderr)
    return 1


def _become_dhcpcd(wish: Wish) -> None:
    text = configuration(wish, HOOK, os.environ.get("NOTIFY_SOCKET", ""))
    _CONFIGURATION.write_text(text)
    argv = [_DHCPCD, "--nobackground", "--config", str(_CONFIGURATION), wish.device]
    os.execvp(_DHCPCD, argv)  # noqa: S606 - no shell is what is wanted
