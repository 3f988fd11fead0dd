# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of a request, in upstream's order (upstream-vdsm 3.4; its numbers stand here).

A request that has several faults is refused for the first one in this order, so that a caller sees
the code that it would see from upstream. Each function raises NetworkConfigError. No I/O.
"""

import re
from typing import Final

from supervdsm.network.config import Network
from supervdsm.network.request import addresses, links, usage
from supervdsm.network.request.refusal import Code, path, quoted, refusal
from supervdsm.network.request.request import Change

_BOND_NAME: Final = re.compile(r"bond\w+", re.ASCII)
_MTU: Final = range(68, 65536)
"""From what IPv4 needs (RFC 791) to what a packet can have."""


def check(change: Change) -> None:
    """Check a request whose attributes are of their types."""
    _check_default_routes(change)  # 1
    _check_mtus(change)
    _check_bond_names(change)  # 2
    _check_bonds_have_nics(change)
    _check_vlans_have_a_base(change)
    addresses.check(change.request.networks.values(), change.new.networks)  # 3
    # 4 and 9, mixing and changing switch types, cannot be: there is only one.
    usage.check_bases(change)  # 5
    links.check_networks(change)  # 6
    links.check_bonds(change)  # 7
    usage.check_nics(change)  # 8


def _check_default_routes(change: Change) -> None:
    named = [network for network in change.request.networks.values() if network.defaultRoute]
    if len(named) > 1:
        reason = f"is the second default route: {quoted(named[0].name)} has one, too"
        raise refusal(Code.BAD_PARAMS, path("networks", named[1].name, "defaultRoute"), reason)


def _check_mtus(change: Change) -> None:
    for network in change.request.networks.values():
        if network.mtu not in _MTU:
            reason = f"must be from {_MTU[0]} to {_MTU[-1]}, not {quoted(network.mtu)}"
            raise refusal(Code.BAD_PARAMS, path("networks", network.name, "mtu"), reason)


def _check_bond_names(change: Change) -> None:
    request = change.request
    for name in (*request.bonds, *sorted(request.removed_bonds)):
        if not _is_bond_name(name):
            raise refusal(Code.BAD_BONDING, path("bondings", name), _BOND_RULE)
    for network in request.networks.values():
        if network.bonding is not None and not _is_bond_name(network.bonding):
            where = path("networks", network.name, "bonding")
            raise refusal(Code.BAD_BONDING, where, f"{quoted(network.bonding)} {_BOND_RULE}")


_BOND_RULE: Final = "is no name of a bond: it must be bond, then letters, digits or underscores"


def _is_bond_name(name: str) -> bool:
    return bool(_BOND_NAME.fullmatch(name)) and len(name) <= links.MAX_NAME


def _check_bonds_have_nics(change: Change) -> None:
    for bond in change.request.bonds.values():
        where = path("bondings", bond.name, "nics")
        if not bond.nics:
            raise refusal(Code.BAD_PARAMS, where, "is missing: a bond needs a NIC")
        if len(set(bond.nics)) < len(bond.nics):
            raise refusal(Code.BAD_PARAMS, where, "names a NIC twice")


def _check_vlans_have_a_base(change: Change) -> None:
    for network in change.request.networks.values():
        if not network.base:
            _check_nicless(network)


def _check_nicless(network: Network) -> None:
    if network.vlan is not None:
        reason = "needs a nic or a bonding"
        raise refusal(Code.BAD_VLAN, path("networks", network.name, "vlan"), reason)
    if network.hostQos is not None:
        reason = "needs a nic or a bonding"
        raise refusal(Code.BAD_PARAMS, path("networks", network.name, "hostQos"), reason)
