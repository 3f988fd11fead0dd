# SPDX-License-Identifier: GPL-2.0-or-later
"""The floor: the operations of our own plan, carried out by `ip -batch`.

What `ip` has no word for (the sysctls of IPv6) goes through one `sysctl` for each run of them, and
is timed by itself.
"""

import ipaddress
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from workload import batch, program

from supervdsm.network.plan import operations as op
from supervdsm.network.plan.state import MAIN_TABLE, Address, Device, Ipv6, Route


def carry_out(operations: Sequence[op.Operation]) -> tuple[float, float]:
    """Carry out operations; return the seconds of `ip` and of `sysctl`."""
    took = {"ip": 0.0, "sysctl": 0.0}
    for program_, run in _runs(operations):
        lines = list(run)
        start = time.monotonic()
        if program_ == "ip":
            batch(lines)
        else:
            program(["sysctl", "--quiet", "--load=-"], "\n".join(lines))
        took[program_] += time.monotonic() - start
    return took["ip"], took["sysctl"]


def _runs(operations: Iterable[op.Operation]) -> Iterator[tuple[str, list[str]]]:
    told = (_lines(operation) for operation in operations)
    for name, group in groupby(told, key=lambda item: item[0]):
        yield name, [line for _, lines in group for line in lines]


def _lines(operation: op.Operation) -> tuple[str, list[str]]:
    match operation:
        case op.SetIpv6(name, ipv6):
            return "sysctl", _sysctls(name, ipv6)
        case _:
            return "ip", [_line(operation)]


def _line(operation: op.Operation) -> str:
    match operation:
        case op.CreateDevice(device):
            return _create(device)
        case op.DeleteDevice(name):
            return f"link del {name}"
        case op.SetUp(name, up):
            return f"link set {name} {'up' if up else 'down'}"
        case op.SetMtu(name, mtu):
            return f"link set {name} mtu {mtu}"
        case op.SetHwaddr(name, hwaddr):
            return f"link set {name} address {hwaddr}"
        case op.SetMaster(name, master):
            return f"link set {name} master {master}" if master else f"link set {name} nomaster"
        case op.SetOptions(name, kind, options):
            return f"link set {name} type {kind} {_options(options)}"
        case op.AddAddress(name, address):
            return f"addr add {_address(address)} dev {name}"
        case op.RemoveAddress(name, address):
            return f"addr del {address.cidr} dev {name}"
        case op.AddRoute(route):
            return f"route add {_route(route)} proto {route.protocol}"
        case op.RemoveRoute(route):
            return f"route del {_route(route)}"
        case _:
            raise SystemExit(f"the floor cannot {operation}")


def _create(device: Device) -> str:
    words = ["link add"]
    if device.lower:
        words.append(f"link {device.lower}")
    words.append(f"name {device.name}")
    if device.mtu:
        words.append(f"mtu {device.mtu}")
    if device.hwaddr:
        words.append(f"address {device.hwaddr}")
    if device.master:
        words.append(f"master {device.master}")
    words.append(f"type {device.kind}")
    if device.kind == "vlan":
        words.append(f"id {device.vlan}")
    words.append(_options(device.options or {}))
    return " ".join(words)


def _options(options: dict[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in options.items())


def _address(address: Address) -> str:
    interface = ipaddress.ip_interface(address.cidr)
    return f"{address.cidr} brd +" if interface.version == 4 else address.cidr


def _route(route: Route) -> str:
    words = [route.destination]
    if route.gateway:
        words.append(f"via {route.gateway}")
    words.append(f"dev {route.device}")
    if route.table != MAIN_TABLE:
        words.append(f"table {route.table}")
    return " ".join(words)


def _sysctls(name: str, ipv6: Ipv6) -> list[str]:
    values = {
        "disable_ipv6": int(ipv6.disabled),
        "accept_ra": ipv6.accept_ra,
        "accept_ra_defrtr": int(ipv6.defrtr),
        "autoconf": int(ipv6.autoconf),
    }
    # Slashes: a VLAN has a dot in its name.
    return [f"net/ipv6/conf/{name}/{key} = {value}" for key, value in values.items()]
