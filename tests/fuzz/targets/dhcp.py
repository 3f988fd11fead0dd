# SPDX-License-Identifier: GPL-2.0-or-later
"""What a DHCP server told: the variables of dhcpcd's hook, and the file of a lease, as supervdsm
reads it.

The input is JSON: variables of dhcpcd, or a file. Oracle: a lease has addresses only; what the
hook writes is read as it was; routes and rules are planned or refused with ValueError, as the hook
expects; a name of a unit is one.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import cache

import msgspec

from fuzz.target import require
from fuzz.targets._file import InputFile
from supervdsm.network.services import source_routes
from supervdsm.network.services.lease_events import lease4, lease6
from supervdsm.network.services.leases import Lease, Leases, Told
from supervdsm.network.services.wishes import instance_name

IS_JSON = True
_UNIT = re.compile(r"[A-Za-z0-9_.-]*")


@cache
def _file() -> InputFile:
    return InputFile("leases/x.json", 0o644)


def run(data: bytes) -> None:
    file = _file()
    file.put(data)
    read = Leases(file.path.parent).read("x")
    check(read.ipv4, 4)
    check(read.ipv6, 6)
    try:
        told = msgspec.json.decode(data, type=dict[str, str])
    except (ValueError, RecursionError):
        return
    name = instance_name(told.get("interface", ""))
    require(_UNIT.fullmatch(name), "{!r} is no part of a unit's name", name)
    try:
        given = Told(ipv4=lease4(told), ipv6=lease6(told))
    except ValueError:
        return  # what the hook catches
    for server in given.nameservers:
        ipaddress.ip_address(server)
    require(msgspec.json.decode(msgspec.json.encode(given), type=Told) == given, "another lease")
    try:
        routes, rules = source_routes.wanted("eth0", given.ipv4)
    except ValueError:
        return
    require(len(routes) <= 2 and len(rules) <= 2, "too many routes")


def check(lease: Lease, version: int) -> None:
    if lease.address:
        require(ipaddress.ip_interface(lease.address).version == version, "another version")
        require(lease.address.isprintable(), "{!r} may be a line of a file", lease.address)
    for text in (*lease.nameservers, *([lease.gateway] if lease.gateway else [])):
        require(ipaddress.ip_address(text).version == version, "another version")
        require(text.isprintable() and " " not in text, "{!r} may be a line of a file", text)


def seeds() -> Mapping[str, bytes]:
    told = {
        "reason": "BOUND",
        "protocol": "dhcp",
        "interface": "eth0.5",
        "if_up": "true",
        "new_ip_address": "192.0.2.20",
        "new_subnet_cidr": "24",
        "new_routers": "192.0.2.1 192.0.2.2",
        "new_domain_name_servers": "192.0.2.53 192.0.2.54",
    }
    told6 = {
        "protocol": "dhcp6",
        "interface": "br-1",
        "new_dhcp6_ia_na1_ia_addr1": "2001:db8::20",
        "new_dhcp6_name_servers": "2001:db8::53 fe80::1%eth0",
    }
    lease = Told(
        ipv4=Lease("192.0.2.20/24", "192.0.2.1", ("192.0.2.53",)),
        ipv6=Lease("2001:db8::20/128", "", ("2001:db8::53",)),
    )
    return {
        "ipv4": msgspec.json.encode(told),
        "ipv6": msgspec.json.encode(told6),
        "file": msgspec.json.encode(lease),
        "hostile": b'{"ipv4":{"address":"192.0.2.20\\n/24","gateway":"::1","nameservers":["a b"]}}',
        "deep": b'{"x":' + b"[" * 1200,
    }
