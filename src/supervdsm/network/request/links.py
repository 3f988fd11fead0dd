# SPDX-License-Identifier: GPL-2.0-or-later
"""Check names, VLANs, bases and bonds of a request, each by itself (upstream-vdsm 3.4, 6. and 7.).

Source of what a device may be called: dev_valid_name() in net/core/dev.c, and devinet.c for the two
names that its sysctls have taken. No I/O.
"""

import re
from collections.abc import Collection
from typing import Final

from supervdsm.network import bonding
from supervdsm.network.bonding import BadOption
from supervdsm.network.config import Bond, Network
from supervdsm.network.request.refusal import Code, path, quoted, refusal
from supervdsm.network.request.request import Change

MAX_NAME: Final = 15
"""IFNAMSIZ without the NUL at the end."""
_MAX_FILE_NAME: Final = 64
"""A network without a bridge is only a name of ours, and of a file."""
_MAX_VLAN: Final = 4094
_ILLEGAL: Final = frozenset(":./%")
_RESERVED: Final = frozenset({"all", "default", "bonding_masters"})
_HWADDR: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)


def check_networks(change: Change) -> None:
    """Check each network. Raises NetworkConfigError."""
    for name, beside in change.request.removed_networks.items():
        if beside:
            reason = "may not be given together with remove"
            raise refusal(Code.BAD_PARAMS, path("networks", name, beside[0]), reason)
        if name not in change.running.networks:
            reason = "there is no such network to remove"
            raise refusal(Code.BAD_BRIDGE, path("networks", name), reason)
    for network in change.request.networks.values():
        _check_vlan(change, network)
        _check_base(change, network)
        _check_name(change, network)


def check_bonds(change: Change) -> None:
    """Check each bond. Raises NetworkConfigError."""
    users = {network.bonding: network.name for network in change.new.networks.values()}
    ours = {network.southbound for network in change.running.networks.values()}
    for name in sorted(change.request.removed_bonds):
        if name in users:
            reason = f"cannot be removed: it is used by {quoted(users[name])}"
            raise refusal(Code.USED_BOND, path("bondings", name), reason)
        _check_removal(change, name, ours)
    for bond in change.request.bonds.values():
        _check_bond(change, bond)


def _check_vlan(change: Change, network: Network) -> None:
    if network.vlan is None:
        return
    where = path("networks", network.name, "vlan")
    if network.vlan > _MAX_VLAN:
        reason = f"must be from 0 to {_MAX_VLAN}, not {quoted(network.vlan)}"
        raise refusal(Code.BAD_VLAN, where, reason)
    device = network.southbound
    if len(device) > MAX_NAME:
        reason = f"the VLAN's name {quoted(device)} would be longer than {MAX_NAME} characters"
        raise refusal(Code.BAD_VLAN, where, reason)
    there = change.facts.vlans.get((network.base, network.vlan))
    if there not in (None, device):
        reason = f"that VLAN exists by another name: {quoted(there)}"
        raise refusal(Code.BAD_VLAN, where, reason)
    if there is None and device in change.facts.kinds:
        reason = f"there is another device with the VLAN's name {quoted(device)}"
        raise refusal(Code.BAD_VLAN, where, reason)


def _check_base(change: Change, network: Network) -> None:
    if network.nic is not None and change.facts.kinds.get(network.nic) != "nic":
        where = path("networks", network.name, "nic")
        raise refusal(Code.BAD_NIC, where, f"there is no NIC {quoted(network.nic)}")
    if network.bonding is not None and not _bond_exists(change, network.bonding):
        where = path("networks", network.name, "bonding")
        raise refusal(Code.BAD_BONDING, where, f"there is no bond {quoted(network.bonding)}")


def _bond_exists(change: Change, name: str) -> bool:
    """One that is being removed exists here: that it is used is another fault (31)."""
    return name in change.new.bonds or name in change.running.bonds or name in change.facts.bonds


def _check_name(change: Change, network: Network) -> None:
    name, where = network.name, path("networks", network.name)
    most = MAX_NAME if network.bridged else _MAX_FILE_NAME
    if not 0 < len(name) <= most:
        raise refusal(Code.BAD_BRIDGE, where, f"the name must have 1 to {most} characters")
    illegal = not name.isascii() or not name.isprintable() or " " in name
    if illegal or name.startswith("-") or set(name) & _ILLEGAL:
        reason = "the name may have no space, control character, nor any of : . / %, nor begin by -"
        raise refusal(Code.BAD_BRIDGE, where, reason)
    if not network.bridged:
        return
    if name in _RESERVED:
        raise refusal(Code.BAD_BRIDGE, where, "the kernel uses the name for something else")
    kind = change.facts.kinds.get(name, "bridge")
    if kind != "bridge" or name in change.new.bonds:
        raise refusal(Code.BAD_BRIDGE, where, "there is another device of that name")


def _check_removal(change: Change, name: str, ours: Collection[str]) -> None:
    """Refuse to remove a bond that carries what is not ours; `ours` are our own VLANs."""
    facts = change.facts
    others = [vlan for vlan in facts.vlans_on.get(name, ()) if vlan not in ours]
    master = facts.masters.get(name)
    if master is not None and master not in change.running.networks:
        others.append(master)
    if name in facts.bonds and others:
        reason = f"cannot be removed: the device {quoted(others[0])}, which is not ours, uses it"
        raise refusal(Code.USED_BOND, path("bondings", name), reason)


def _check_bond(change: Change, bond: Bond) -> None:
    where = path("bondings", bond.name)
    kind = change.facts.kinds.get(bond.name, "bond")
    bridge = change.new.networks.get(bond.name)
    if kind != "bond" or (bridge is not None and bridge.bridged):
        raise refusal(Code.BAD_BONDING, where, "there is another device of that name")
    for nic in bond.nics:
        if change.facts.kinds.get(nic) != "nic":
            nics = path("bondings", bond.name, "nics")
            raise refusal(Code.BAD_NIC, nics, f"there is no NIC {quoted(nic)}")
    if bond.hwaddr is not None and not _is_hwaddr(bond.hwaddr):
        reason = f"is no hardware address of a host: {quoted(bond.hwaddr)}"
        raise refusal(Code.BAD_PARAMS, path("bondings", bond.name, "hwaddr"), reason)
    _check_options(bond)


def _is_hwaddr(text: str) -> bool:
    if not _HWADDR.fullmatch(text):
        return False
    return not int(text[:2], 16) & 1 and bool(text.strip("0:"))


def _check_options(bond: Bond) -> None:
    where = path("bondings", bond.name, "options")
    try:
        values = bonding.parse(bond.options)
    except BadOption as error:
        reason = f"{quoted(error.option)} {error.reason}"
        raise refusal(Code.BAD_BONDING, where, reason) from error
    primary = values.get("primary")
    if primary and primary not in bond.nics:
        reason = f"primary {quoted(primary)} is not among the bond's nics"
        raise refusal(Code.BAD_BONDING, where, reason)
