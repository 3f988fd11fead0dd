# SPDX-License-Identifier: GPL-2.0-or-later
"""The network of a namespace as `ip` tells it, without what changes by itself: to be compared.

Left out are indexes, counters and timers, carrier and what follows it (states of bridge ports),
link-local addresses with their routes, the routes that the kernel makes for its own addresses, and
what IPv6 would do on a device that has it turned off. A bridge without ports has an address made
by chance.
"""

import json
import subprocess
from typing import Any, Final

Dump = dict[str, Any]

_LINK: Final = ("ifname", "mtu", "master", "link", "address")
_DATA: Final = (
    "stp_state", "forward_delay", "hello_time", "max_age", "ageing_time", "priority",
    "vlan_filtering", "mcast_snooping", "protocol", "id", "mode", "miimon", "updelay", "downdelay",
    "xmit_hash_policy", "ad_lacp_rate", "primary", "arp_interval",
)  # fmt: skip
_ADDRESS: Final = ("family", "local", "prefixlen", "scope", "address", "broadcast", "label")
_ROUTE: Final = ("dst", "gateway", "dev", "table", "metric", "scope", "prefsrc", "flags")
_RULE: Final = ("priority", "src", "srclen", "dst", "dstlen", "table", "iif")
_SYSCTLS: Final = ("disable_ipv6", "accept_ra", "autoconf", "accept_ra_defrtr")


def dump(namespace: str) -> Dump:
    """Return the whole of it."""
    return {
        "links": _links(_ip(namespace, "-d link show")),
        "addresses": _by(_ip(namespace, "addr show"), "ifname", _addresses),
        "routes": sorted(
            filter(
                None, (_route(one) for family in ("-4", "-6") for one in _routes(namespace, family))
            )
        ),
        "rules": sorted(
            _text(one, _RULE)
            for family in ("-4", "-6")
            for one in _ip(namespace, f"{family} rule show")
        ),
        "ipv6": _sysctls(namespace),
    }


def difference(one: Dump, other: Dump) -> list[str]:
    """Return what differs, a line each; empty when nothing does."""
    found: list[str] = []
    for part, before in one.items():
        after = other[part]
        if isinstance(before, list):
            found += [f"- {part} {line}" for line in before if line not in after]
            found += [f"+ {part} {line}" for line in after if line not in before]
            continue
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                found.append(f"{part} {name}: {before.get(name)} -> {after.get(name)}")
    return found


def _ip(namespace: str, words: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["ip", "-n", namespace, "-j", *words.split()], capture_output=True, text=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return [one for one in found if one]


def _routes(namespace: str, family: str) -> list[dict[str, Any]]:
    return _ip(namespace, f"{family} route show table all")


def _by(items: list[dict[str, Any]], key: str, show: Any) -> dict[str, Any]:
    return {item[key]: show(item) for item in items}


def _links(links: list[dict[str, Any]]) -> dict[str, Any]:
    found = _by(links, "ifname", _link)
    masters = {link.get("master") for link in links}
    for name, link in found.items():
        if link["kind"] == "bridge" and name not in masters:
            del link["address"]
    return found


def _link(link: dict[str, Any]) -> dict[str, Any]:
    info = link.get("linkinfo", {})
    data = info.get("info_data", {})
    if data.get("stp_state"):
        # While the topology changes it is 2 * forward_delay (net/bridge/br_stp.c).
        data.pop("ageing_time", None)
    return {
        **{key: link[key] for key in _LINK if key in link},
        "up": "UP" in link["flags"],
        "kind": info.get("info_kind", ""),
        "port": info.get("info_slave_kind", ""),
        "data": {key: data[key] for key in _DATA if key in data},
    }


def _addresses(device: dict[str, Any]) -> list[str]:
    # In their order: the first of IPv4 is the primary one.
    return [_text(one, _ADDRESS) for one in device["addr_info"] if one["scope"] != "link"]


def _route(route: dict[str, Any]) -> str:
    if route.get("type") in {"local", "broadcast", "anycast", "multicast"}:
        return ""
    if str(route["dst"]).startswith(("fe80:", "ff00:")) or route.get("table") == "local":
        return ""
    return _text(route, _ROUTE)


def _text(item: dict[str, Any], keys: tuple[str, ...]) -> str:
    shown = {key: item[key] for key in keys if key in item}
    if "flags" in shown:
        shown["flags"] = [flag for flag in shown["flags"] if flag == "onlink"]
    return json.dumps(shown)


def _sysctls(namespace: str) -> dict[str, str]:
    files = " ".join(f"/proc/sys/net/ipv6/conf/*/{name}" for name in _SYSCTLS)
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, "sh", "-c", f"grep . {files}"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.partition(":") for line in done.stdout.splitlines())
    found = {tuple(path.split("/")[-2:]): value for path, _, value in lines}
    return {
        f"{device}/{name}": value
        for (device, name), value in found.items()
        if name == "disable_ipv6" or found[device, "disable_ipv6"] == "0"
    }
