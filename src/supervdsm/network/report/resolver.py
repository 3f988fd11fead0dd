# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's name servers: resolv.conf(5)."""

import ipaddress
import logging
from pathlib import Path
from typing import Final

from supervdsm.common import host_file

_log = logging.getLogger(__name__)

_FILE: Final = "/etc/resolv.conf"
_KEYWORD: Final = "nameserver"


def nameservers(host_root: Path) -> list[str]:
    """Read the host's name servers; our own resolv.conf's, a copy, when it has none."""
    for root in (host_root, Path("/")):
        try:
            return parse(host_file.read_text(root, _FILE))
        except FileNotFoundError:
            continue
        except OSError as error:
            _log.warning("Name servers left out: %s", error)
            return []
    return []


def parse(text: str) -> list[str]:
    """Return the addresses of the `nameserver` lines, in their order; what is no address is left
    out.
    """
    servers: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == _KEYWORD and _is_address(words[1]):
            servers.append(words[1])
    return servers


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
