# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a stored configuration this host can have, and what of it is there. No I/O."""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan.state import State


def nics(configuration: Configuration) -> frozenset[str]:
    """Return the NICs that a configuration names."""
    found = {network.nic for network in configuration.networks.values() if network.nic}
    found.update(nic for bond in configuration.bonds.values() for nic in bond.nics)
    found.update(configuration.devices)
    return frozenset(found)


def available(
    configuration: Configuration, present: Collection[str]
) -> tuple[Configuration, dict[str, str]]:
    """Return what can be had with the NICs `present`, and why the rest cannot, by name.

    A bond does with the NICs that are left. A network is dropped with its NIC or bond.
    """
    dropped: dict[str, str] = {}
    bonds = {}
    for name, bond in configuration.bonds.items():
        left = tuple(nic for nic in bond.nics if nic in present)
        if left:
            bonds[name] = _with_nics(bond, left)
        else:
            dropped[name] = f"none of its NICs is there: {', '.join(bond.nics)}"
    networks = {}
    for name, network in configuration.networks.items():
        reason = _missing(network, present, bonds)
        if reason:
            dropped[name] = reason
        else:
            networks[name] = network
    return Configuration(networks, bonds, configuration.devices), dropped


def reduced(configuration: Configuration, found: Configuration) -> dict[str, list[str]]:
    """Return the NICs that the bonds in `found` lack."""
    lacking = {}
    for name, bond in found.bonds.items():
        nics = [nic for nic in configuration.bonds[name].nics if nic not in bond.nics]
        if nics:
            lacking[name] = nics
    return lacking


def existing(configuration: Configuration, state: State) -> Configuration:
    """Return the bonds, and the networks with bridges or VLANs, that are there in the kernel.

    After a boot none is. What is not there needs no removal, and its NIC may be another's now.
    """
    return Configuration(
        {
            name: network
            for name, network in configuration.networks.items()
            if state.devices.keys() & _made_for(network)
        },
        {name: bond for name, bond in configuration.bonds.items() if name in state.devices},
        configuration.devices,
    )


def _made_for(network: Network) -> set[str]:
    """Return the devices that are made for a network, and not for others too."""
    made = {network.iface} if network.bridged else set()
    if network.base and network.vlan is not None:
        made.add(network.southbound)
    return made


def _missing(network: Network, present: Collection[str], bonds: Mapping[str, Bond]) -> str:
    if network.nic and network.nic not in present:
        return f"its NIC {network.nic} is not there"
    if network.bonding and network.bonding not in bonds:
        return f"its bond {network.bonding} is not there"
    return ""


def _with_nics(bond: Bond, nics: tuple[str, ...]) -> Bond:
    lost = set(bond.nics).difference(nics)
    words = [word for word in bond.options.split() if not _is_primary(word, lost)]
    return replace(bond, nics=nics, options=" ".join(words))


def _is_primary(word: str, lost: Collection[str]) -> bool:
    name, _, value = word.partition("=")
    return name == "primary" and value in lost
