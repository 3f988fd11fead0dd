# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's networks as lines of a snapshot: links, addresses, routes, rules, shaping.

Left out is what comes and goes by itself: what belongs to virtual machines and containers (taps,
veths), what the kernel makes, what router advertisements and routing daemons say, lifetimes.
"""

import socket
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_IFF_UP: Final = 0x1
_TRANSIENT_KINDS: Final = frozenset({"veth", "tun", "macvtap", "ipvtap"})
"""Kinds of links that virtual machines and containers have; see rtnetlink(7), IFLA_INFO_KIND."""

_SCOPE_LINK: Final = 253
_IFA_F_TEMPORARY: Final = 0x01
_IFA_F_DADFAILED: Final = 0x08
_IFA_F_MANAGETEMPADDR: Final = 0x100
_IFA_PROTO_RA: Final = 2
"""<linux/if_addr.h>. The first of them means another thing for IPv4."""

_CONFIGURED: Final = frozenset({0, 3, 4, 16})
"""RTPROT_UNSPEC, BOOT, STATIC and DHCP of <linux/rtnetlink.h>; others are a routing daemon's."""
_RTM_F_CLONED: Final = 0x200
_LOCAL_TABLE: Final = 255
_ROUTE_TYPES: Final = {1: "", 6: "blackhole ", 7: "unreachable ", 8: "prohibit "}

_RTPROT_KERNEL: Final = 2
_FR_ACT_TO_TBL: Final = 1
_KERNELS_RULES: Final = frozenset({0, 32766, 32767})
"""Priorities of the rules that every network namespace begins with."""

_SHAPERS: Final = frozenset({"hfsc", "htb", "tbf", "prio", "ingress", "clsact"})
"""qdiscs that somebody configured; others may be a driver's or the kernel's default."""

_FAMILIES: Final = {socket.AF_INET: "0.0.0.0/0", socket.AF_INET6: "::/0"}


@dataclass(frozen=True)
class Link:
    """A network device; `mode` is a bond's mode, `vlan` the tag of a VLAN device."""

    index: int
    name: str
    kind: str
    master: int = 0
    lower: int = 0
    mtu: int = 1500
    up: bool = True
    vlan: int | None = None
    mode: int | None = None


@dataclass(frozen=True)
class Address:
    """An address with its prefix length, for example 192.0.2.1/24."""

    index: int
    cidr: str


@dataclass(frozen=True)
class Route:
    """A route; `hops` are pairs of a gateway (or "") and the index of a link (or 0)."""

    destination: str
    table: int
    hops: tuple[tuple[str, int], ...]
    kind: str = ""
    metric: int = 0
    source: str = ""


@dataclass(frozen=True)
class Kernel:
    """All that was read. `rules` are lines already, `shaping` pairs of a link and a text."""

    links: Collection[Link] = ()
    addresses: Collection[Address] = ()
    routes: Collection[Route] = ()
    rules: Collection[str] = ()
    shaping: Collection[tuple[int, str]] = ()


def read() -> Kernel:
    """Ask the kernel for this process' network namespace. Raises OSError."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as kernel:
            return Kernel(
                links=[_link(message) for message in kernel.get_links()],
                addresses=list(_addresses(kernel.get_addr())),
                routes=list(_routes(kernel.get_routes())),
                rules=list(_rules(kernel.get_rules())),
                shaping=list(_shaping(kernel.get_qdiscs())),
            )
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from error


def lines(kernel: Kernel, vdsms: Collection[str]) -> Iterator[str]:
    """Give what must stay as lines; `vdsms` are the NICs that vdsm's networks use."""
    with_address = {address.index for address in kernel.addresses}
    stays = {
        link.index: link
        for link in kernel.links
        if link.kind not in _TRANSIENT_KINDS or link.name in vdsms or link.index in with_address
    }
    names = {link.index: link.name for link in kernel.links}
    for link in stays.values():
        yield f"link {link.name}: {', '.join(_link_details(link, names))}"
    for address in kernel.addresses:
        yield f"address {address.cidr} on {names.get(address.index, '?')}"
    for route in kernel.routes:
        if all(index in stays or not index for _, index in route.hops):
            yield _route_line(route, names)
    yield from kernel.rules
    for index, text in kernel.shaping:
        if index in stays:
            yield f"shaping on {names[index]}: {text}"


def _link_details(link: Link, names: Mapping[int, str]) -> Iterator[str]:
    yield link.kind or "NIC"
    if link.mode is not None:
        yield f"mode {link.mode}"
    if link.vlan is not None:
        yield f"tag {link.vlan} on {names.get(link.lower, '?')}"
    if link.master:
        yield f"port of {names.get(link.master, '?')}"
    yield f"mtu {link.mtu}"
    yield "up" if link.up else "down"


def _route_line(route: Route, names: Mapping[int, str]) -> str:
    words = [f"{route.kind}route to {route.destination}"]
    ways = []
    for gateway, index in route.hops:
        way = [f"via {gateway}"] if gateway else []
        way += [f"on {names.get(index, '?')}"] if index else []
        ways.append(" ".join(way))
    words += [" and ".join(sorted(ways))] if any(ways) else []
    words += [f"from {route.source}"] if route.source else []
    words += [f"metric {route.metric}"] if route.metric else []
    return " ".join([*words, f"in table {route.table}"])


def _link(message: Any) -> Link:
    kind = message.get_nested("linkinfo", "kind") or ""
    data = message.get_nested("linkinfo", "data") if kind in ("vlan", "bond") else None
    return Link(
        index=message["index"],
        name=message.get("ifname") or "",
        kind=kind,
        master=message.get("master") or 0,
        lower=message.get("link") or 0,
        mtu=message.get("mtu") or 0,
        up=bool(message["flags"] & _IFF_UP),
        vlan=data.get("vlan_id") if data and kind == "vlan" else None,
        mode=data.get("bond_mode") if data and kind == "bond" else None,
    )


def _addresses(messages: Iterable[Any]) -> Iterator[Address]:
    for message in messages:
        flags = message.get("flags") or 0
        if message["family"] == socket.AF_INET6 and (
            message["scope"] == _SCOPE_LINK
            or flags & (_IFA_F_TEMPORARY | _IFA_F_MANAGETEMPADDR | _IFA_F_DADFAILED)
            or message.get("proto") == _IFA_PROTO_RA
        ):
            continue
        address = message.get("local") or message.get("address")
        yield Address(message["index"], f"{address}/{message['prefixlen']}")


def _routes(messages: Iterable[Any]) -> Iterator[Route]:
    for message in messages:
        table = message.get("table") or message["table"]
        anywhere = _FAMILIES.get(message["family"])
        if (
            anywhere is None
            or table == _LOCAL_TABLE
            or message["proto"] not in _CONFIGURED
            or message["type"] not in _ROUTE_TYPES
            or message["flags"] & _RTM_F_CLONED
        ):
            continue
        hops = message.get("multipath") or [message]
        destination = message.get("dst")
        yield Route(
            destination=f"{destination}/{message['dst_len']}" if destination else anywhere,
            table=table,
            hops=tuple((_gateway(hop), _device(hop)) for hop in hops),
            kind=_ROUTE_TYPES[message["type"]],
            metric=message.get("priority") or 0,
            source=message.get("prefsrc") or "",
        )


def _gateway(hop: Any) -> str:
    via = hop.get("via")
    return hop.get("gateway") or (via.get("addr") if via else "") or ""


def _device(hop: Any) -> int:
    """Return the index of a hop's device: a next hop of several has it in its fixed part."""
    index = hop.get("oif")
    return int(index or 0)


def _rules(messages: Iterable[Any]) -> Iterator[str]:
    for message in messages:
        priority = message.get("priority") or 0
        if (
            message["family"] not in _FAMILIES
            or message["action"] != _FR_ACT_TO_TBL
            or message.get("protocol") == _RTPROT_KERNEL
            or priority in _KERNELS_RULES
        ):
            continue
        words = [f"rule {priority} of IPv{4 if message['family'] == socket.AF_INET else 6}"]
        for word, name, length in (("from", "src", "src_len"), ("to", "dst", "dst_len")):
            if message.get(name):
                words.append(f"{word} {message.get(name)}/{message[length]}")
        for word, name in (("iif", "iifname"), ("oif", "oifname"), ("fwmark", "fwmark")):
            if message.get(name):
                words.append(f"{word} {message.get(name)}")
        yield " ".join([*words, f"to table {message.get('table') or message['table']}"])


def _shaping(messages: Iterable[Any]) -> Iterator[tuple[int, str]]:
    for message in messages:
        kind = message.get("kind") or ""
        if kind in _SHAPERS:
            yield message["index"], f"{kind} {message['handle'] >> 16:x}:"
