# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to the configuration that it leads to: the whole of it, checked.

Source: upstream-vdsm 3.1 (defaults, implicit bonds, moved default route) and 3.4. No I/O.
"""

import dataclasses
from collections.abc import Mapping

from msgspec.structs import replace

from supervdsm.network import bonding
from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.request import canonicalize, validate
from supervdsm.network.request.facts import Facts, KernelBond
from supervdsm.network.request.fields import Fields
from supervdsm.network.request.refusal import Code, quoted, refusal
from supervdsm.network.request.request import Change, Request


def requested(
    networks: Mapping[str, object],
    bondings: Mapping[str, object],
    running: Configuration,
    facts: Facts,
) -> Configuration:
    """Return the configuration after a change. Raises NetworkConfigError.

    Networks and bonds that are not in the request stay, except that a new default route takes it
    from the network that has it.
    """
    request = _canonicalized(networks, bondings, running, facts)
    new = _merged(request, running, facts)
    validate.check(Change(request, running, new, facts))
    return _with_canonical_options(new, request)


def _canonicalized(
    networks: object, bondings: object, running: Configuration, facts: Facts
) -> Request:
    kept: dict[str, Network] = {}
    removed: dict[str, tuple[str, ...]] = {}
    for name, raw in _entries(networks, "networks"):
        fields = Fields(raw, "networks", name)
        if canonicalize.is_removal(fields):
            fields.drop("custom")
            removed[name] = fields.unknown()
            continue
        kept[name] = canonicalize.network(name, fields, facts.nameservers)
        fields.refuse_unknown()
    bonds: dict[str, Bond] = {}
    removed_bonds: set[str] = set()
    for name, raw in _entries(bondings, "bondings"):
        fields = Fields(raw, "bondings", name)
        if canonicalize.is_removal(fields):
            removed_bonds.add(name)
            continue
        bonds[name] = _with_hwaddr(canonicalize.bond(name, fields), running, facts)
        fields.refuse_unknown()
    request = Request(kept, bonds, removed, frozenset(removed_bonds))
    return Request(kept, bonds | _implicit(request, running, facts), removed, request.removed_bonds)


def _entries(raw: object, field: str) -> list[tuple[str, object]]:
    if not isinstance(raw, Mapping):
        raise refusal(Code.BAD_PARAMS, field, f"must be an object, not {quoted(raw)}")
    for name in raw:
        if not isinstance(name, str):
            raise refusal(Code.BAD_PARAMS, field, f"has a name that is no text: {quoted(name)}")
    return list(raw.items())


def _with_hwaddr(bond: Bond, running: Configuration, facts: Facts) -> Bond:
    """Let a bond that exists keep its address, unless it is ours and was never given one."""
    there = facts.bonds.get(bond.name)
    ours = running.bonds.get(bond.name)
    if bond.hwaddr or there is None or (ours is not None and ours.hwaddr is None):
        return bond
    return replace(bond, hwaddr=there.hwaddr or None)


def _implicit(request: Request, running: Configuration, facts: Facts) -> dict[str, Bond]:
    """Return the bonds that exist, are in no configuration, and are named only by a network."""
    found: dict[str, Bond] = {}
    for network in request.networks.values():
        name = network.bonding
        if name is None or name in request.bonds or name in request.removed_bonds:
            continue
        if name in facts.bonds and name not in running.bonds:
            found[name] = _with_hwaddr(_taken_over(name, facts.bonds[name]), running, facts)
    return found


def _taken_over(name: str, there: KernelBond) -> Bond:
    """Return the configuration of a bond that somebody else made."""
    mode = there.options.get("mode", bonding.DEFAULT_MODE)
    options = {
        key: value
        for key, value in there.options.items()
        if key in bonding.OPTIONS and value != bonding.default(key, mode)
    }
    # What the kernel has, and what the table would not let anybody ask for, stays as it is.
    values, _ = bonding.parse_usable(bonding.render(options | {"mode": mode}))
    return Bond(name=name, nics=there.nics, options=bonding.render(values))


def _merged(request: Request, running: Configuration, facts: Facts) -> Configuration:
    networks = {
        name: network
        for name, network in running.networks.items()
        if name not in request.removed_networks
    }
    bonds = {
        name: bond for name, bond in running.bonds.items() if name not in request.removed_bonds
    }
    if any(network.defaultRoute for network in request.networks.values()):
        for name, network in networks.items():
            if network.defaultRoute:
                networks[name] = replace(network, defaultRoute=False, nameservers=())
    return Configuration(
        networks=networks | dict(request.networks),
        bonds=bonds | dict(request.bonds),
        devices=running.devices,
        unwanted=(request.removed_bonds & facts.bonds.keys()) - running.bonds.keys(),
    )


def _with_canonical_options(new: Configuration, request: Request) -> Configuration:
    """Return the configuration with the canonical options of the requested bonds."""
    canonical = {
        name: replace(bond, options=bonding.render(bonding.parse(bond.options)))
        for name, bond in request.bonds.items()
    }
    return dataclasses.replace(new, bonds={**new.bonds, **canonical})
