# SPDX-License-Identifier: GPL-2.0-or-later
"""What the VM's kernel has, as iproute2 tells it: the judge of what supervdsm did."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from vm.shell import Shell

_COMMANDS: Final = (
    "ip -j -d link",
    "ip -j addr",
    "ip -j -4 route show table all",
    "ip -j -6 route show table all",
    "ip -j -4 rule",
    "ip -j -6 rule",
    "bridge -j link",
)
# What goes on by itself, and what a device that was made anew cannot have again.
_VOLATILE: Final = frozenset(
    {
        "stats", "stats64", "valid_life_time", "preferred_life_time", "ifindex", "link_index",
        "fdb_n_learned", "link_failure_count", "designated_port", "port_id", "port_no",
        "topology_change", "topology_change_detected", "group_addr", "promiscuity", "allmulti",
    }
)  # fmt: skip
_AGEING_TIME: Final = 30_000
"""Of a bridge for which nobody asked for another, in 1/100 s."""
_TABLES: Final = {"main": 254, "local": 255, "default": 253}


@dataclass(frozen=True)
class Kernel:
    """Links and addresses by device, routes and rules."""

    links: Mapping[str, Any]
    addresses: Mapping[str, Any]
    routes: tuple[Any, ...]
    rules: tuple[Any, ...]
    ports: tuple[Any, ...]

    @staticmethod
    def read(shell: Shell) -> "Kernel":
        """Read all of it, without what changes by itself."""
        answers = shell("; echo; ".join(_COMMANDS)).splitlines()
        told = [_still(json.loads(line)) for line in answers if line]
        links, addresses, routes4, routes6, rules4, rules6, ports = told
        return Kernel(
            {one["ifname"]: one for one in links},
            {one["ifname"]: one["addr_info"] for one in addresses},
            _sorted([{**one, "version": 4} for one in routes4])
            + _sorted([{**one, "version": 6} for one in routes6]),
            _sorted([{**one, "version": 4} for one in rules4])
            + _sorted([{**one, "version": 6} for one in rules6]),
            _sorted(ports),
        )

    def unlike(self, other: "Kernel") -> list[str]:
        """Say in what it differs from what was before; nothing when it does not."""
        return list(_unlike("", asdict(self), asdict(other)))

    def kind(self, name: str) -> str:
        """The kind of a device that software made; empty for others."""
        return str(self.links[name].get("linkinfo", {}).get("info_kind", ""))

    def data(self, name: str) -> Any:
        """What is special to its kind."""
        return self.links[name]["linkinfo"]["info_data"]

    def lower(self, name: str) -> str:
        """What a VLAN is on."""
        return str(self.links[name]["link"])

    def master(self, name: str) -> str:
        return str(self.links[name].get("master", ""))

    def mtu(self, name: str) -> int:
        return int(self.links[name]["mtu"])

    def mtus(self, *names: str) -> list[int]:
        return [self.mtu(name) for name in names]

    def is_up(self, name: str) -> bool:
        return "UP" in self.links[name]["flags"]

    def hwaddr(self, name: str) -> str:
        return str(self.links[name]["address"])

    def global_addresses(self, name: str) -> set[str]:
        """Its addresses in CIDR notation, but for the link-local ones."""
        return {
            f"{one['local']}/{one['prefixlen']}"
            for one in self.addresses[name]
            if one["scope"] != "link"
        }

    def routes_of(self, name: str, table: int = 254) -> set[tuple[str, str]]:
        """Destinations and gateways of a device's unicast routes in a table."""
        return {
            (one["dst"], one.get("gateway", ""))
            for one in self.routes
            if one.get("dev") == name
            and _table(one) == table
            and not one["dst"].startswith(("fe80:", "ff00:"))
            and one.get("type", "unicast") == "unicast"
        }

    def source_rules(self, name: str) -> set[tuple[str, str]]:
        """Keys and values of the rules that lead to a device's own table."""
        found = set()
        for one in self.rules:
            if _table(one) == source_table(name) and one["priority"] == 3200:
                for key in ("src", "dst"):
                    if one.get(key, "all") != "all":
                        found.add((key, f"{one[key]}/{one.get(key + 'len', '')}".rstrip("/")))
        return found


def source_table(name: str) -> int:
    """The number of a device's table of source routes: what oVirt made of its name."""
    return zlib.adler32(name.encode())


def _unlike(where: str, found: Any, before: Any) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(before, dict):
        for key in {**found, **before}:
            yield from _unlike(f"{where} {key}", found.get(key), before.get(key))
    elif isinstance(found, tuple) and isinstance(before, tuple):
        yield from (f"{where}: new: {one}" for one in found if one not in before)
        yield from (f"{where}: gone: {one}" for one in before if one not in found)
    elif found != before:
        yield f"{where}: {found}, before: {before}"


def _table(one: Any) -> int:
    text = str(one.get("table", "main"))
    return _TABLES.get(text) or int(text)


def _still(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("topology_change"):
            value = _settled(value)
        return {
            key: _still(one)
            for key, one in value.items()
            if key not in _VOLATILE and not key.endswith("_timer")
        }
    return [_still(one) for one in value] if isinstance(value, list) else value


def _settled(bridge: dict[str, Any]) -> dict[str, Any]:
    """Return a bridge's data as they are again in a moment: while STP changes the topology, the
    kernel forgets addresses after twice the forward delay (br_stp.c, __br_set_topology_change)."""
    shortened = bridge["ageing_time"] == 2 * bridge["forward_delay"]
    return {**bridge, "ageing_time": _AGEING_TIME} if shortened else bridge


def _sorted(values: list[Any]) -> tuple[Any, ...]:
    return tuple(sorted(values, key=lambda one: json.dumps(one, sort_keys=True)))
