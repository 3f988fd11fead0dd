# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel must have of networks, and whether it has that; without any I/O.

A `Dump` is that of faults.kernel_dump.
"""

import ipaddress
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from chaos.load.networks import Networks, network_name


def wrong(networks: Networks, nics: Sequence[str], dump: Mapping[str, Any]) -> list[str]:
    """What of these NICs is not as the networks ask for; empty when all is right."""
    return list(_wrong(networks, nics, dump))


def wrongly_told(networks: Networks, nics: Sequence[str], told: Collection[str]) -> list[str]:
    """What vdsm tells, of the networks that may be on these NICs, and should not, or the other way
    round: a network without an address and a bridge is nothing to the kernel."""
    possible = {network_name(nic) for nic in nics}
    return [f"vdsm tells of {name}" for name in sorted((possible & {*told}) - networks.keys())] + [
        f"vdsm does not tell of {name}" for name in sorted(networks.keys() - {*told})
    ]


def _wrong(networks: Networks, nics: Sequence[str], dump: Mapping[str, Any]) -> Iterator[str]:
    by_nic = {one["nic"]: (name, one) for name, one in networks.items()}
    for nic in nics:
        name, network = by_nic.get(nic, ("", {}))
        bridge = name if network.get("bridged") else ""
        found = dump["links"].get(nic)
        if found is None:
            yield f"{nic} is gone"
            continue
        if found.get("master", "") != bridge:
            yield f"{nic} has the master {found.get('master')}"
        device = bridge or nic
        if bridge and bridge not in dump["links"]:
            yield f"{bridge} is not there"
            continue
        for one in {nic, device} if network else ():
            if dump["links"][one]["mtu"] != network.get("mtu", 1500):
                yield f"{one} has the MTU {dump['links'][one]['mtu']}"
            if not dump["links"][one]["up"]:
                yield f"{one} is down"
        wanted = [f"{network['ipaddr']}/24"] if "ipaddr" in network else []
        for one in {nic, device}:
            has = addresses(one, dump)
            if has != (wanted if one == device else []):
                yield f"{one} has the addresses {has}"
        stray = network_name(nic)
        if stray in dump["links"] and stray != bridge:
            yield f"{stray} is there"
        yield from _ways(nic, device, network, dump)


def _ways(
    nic: str, device: str, network: Mapping[str, Any], dump: Mapping[str, Any]
) -> Iterator[str]:
    """What is wrong with routes: one to the network, and by the gateway those of its own table."""
    routes = [json.loads(line) for line in dump["routes"]]
    through = [one for one in routes if one.get("dev") in {nic, device}]
    ipv4 = [one for one in through if ":" not in str(one["dst"]) and "." in _places(one)]
    has_gateway = any("gateway" in one for one in ipv4)
    if has_gateway != ("gateway" in network):
        yield f"{device} has the routes {ipv4}"
    if bool(ipv4) != ("ipaddr" in network):
        yield f"{device} has the routes {ipv4}"


def _places(route: Mapping[str, Any]) -> str:
    return f"{route['dst']} {route.get('gateway', '')} {route.get('prefsrc', '')}"


def addresses(device: str, dump: Mapping[str, Any]) -> list[str]:
    """The IPv4 addresses of a device, with their prefixes."""
    found = [json.loads(line) for line in dump["addresses"].get(device, [])]
    return [f"{one['local']}/{one['prefixlen']}" for one in found if one["family"] == "inet"]


def part(networks: Networks, nics: Sequence[str], dump: Mapping[str, Any]) -> dict[str, Any]:
    """All that the kernel has of each network, by its name: the same for the same attributes."""
    found = {}
    for name, network in networks.items():
        devices = {network["nic"], name}
        near = _subnet(network)
        found[name] = {
            "links": {one: dump["links"].get(one) for one in sorted(devices)},
            "addresses": {one: addresses(one, dump) for one in sorted(devices)},
            "routes": [one for one in dump["routes"] if json.loads(one).get("dev") in devices],
            "rules": [one for one in dump["rules"] if near and near in one],
        }
    return found


def _subnet(network: Mapping[str, Any]) -> str:
    """How the addresses of a network begin; empty when it has none."""
    if "ipaddr" not in network:
        return ""
    return str(ipaddress.ip_address(network["ipaddr"])).rpartition(".")[0] + "."


def leftovers(
    all_networks: Networks, dump: Mapping[str, Any], start: Mapping[str, Any]
) -> list[str]:
    """Devices and rules that belong to no network and were not there at the start."""
    bridges = {name for name, one in all_networks.items() if one.get("bridged")}
    strange = dump["links"].keys() - start["links"].keys() - bridges
    subnets = tuple(filter(None, map(_subnet, all_networks.values())))
    rules = [
        rule
        for rule in dump["rules"]
        if rule not in start["rules"] and not any(subnet in rule for subnet in subnets)
    ]
    # The ends of the pairs may have come to other tables only by a network of ours.
    return [f"device {name}" for name in sorted(strange)] + [f"rule {rule}" for rule in rules]
