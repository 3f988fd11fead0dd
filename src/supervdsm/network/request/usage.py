# SPDX-License-Identifier: GPL-2.0-or-later
"""Check who uses which device: each NIC, bond and VLAN has one user (upstream-vdsm 3.4, 5. and 8.).

Other users are networks and bonds of the configuration that the request leads to, and devices of
the kernel that are in no configuration: a bridge, bond or VLAN that somebody else made. No I/O.
"""

from collections.abc import Iterator

from supervdsm.network.config import Network
from supervdsm.network.request.refusal import Code, path, quoted, refusal
from supervdsm.network.request.request import Change


def check_bases(change: Change) -> None:
    """Refuse two networks on one NIC, bond or VLAN, and one without any device.

    Raises NetworkConfigError.
    """
    users: dict[tuple[str, int | None], list[str]] = {}
    for network in change.new.networks.values():
        if network.base:
            users.setdefault((network.base, network.vlan), []).append(network.name)
    for network in change.request.networks.values():
        if not network.base:
            if not network.bridged:
                reason = "a network without a bridge needs a nic or a bonding"
                raise refusal(Code.BAD_PARAMS, path("networks", network.name), reason)
            continue
        others = [name for name in users[network.base, network.vlan] if name != network.name]
        if others:
            reason = f"{quoted(network.southbound)} is used by {quoted(others[0])}"
            raise refusal(Code.BAD_PARAMS, _base(network), reason)


def check_nics(change: Change) -> None:
    """Refuse a NIC or bond that has another user. Raises NetworkConfigError."""
    users = _Users(change)
    for bond in change.request.bonds.values():
        where = path("bondings", bond.name, "nics")
        for nic in bond.nics:
            _refuse_used(where, nic, users.of_bond_port(nic, bond.name))
    for network in change.request.networks.values():
        if network.base:
            _refuse_used(_base(network), network.base, users.of_base(network))


class _Users:
    """Who uses a device once the change is made."""

    def __init__(self, change: Change) -> None:
        self._facts = change.facts
        self._bonds: dict[str, list[str]] = {}
        for bond in change.new.bonds.values():
            for nic in bond.nics:
                self._bonds.setdefault(nic, []).append(bond.name)
        self._networks = {
            network.nic: network.name for network in change.new.networks.values() if network.nic
        }
        running = change.running
        self._our_vlans = {network.southbound for network in running.networks.values()}
        self._ours = {*running.networks, *running.bonds, *change.new.unwanted}

    def of_bond_port(self, nic: str, bond: str) -> Iterator[str]:
        """Name the users of a NIC other than its bond."""
        yield from (name for name in self._bonds[nic] if name != bond)
        if nic in self._networks:
            yield self._networks[nic]
        vlans = self._facts.vlans_on.get(nic, ())
        yield from (name for name in vlans if name not in self._our_vlans)
        yield from self._foreign_master(nic, bond)

    def of_base(self, network: Network) -> Iterator[str]:
        """Name the bonds, and the bridge of somebody else, that take a network's frames."""
        yield from self._bonds.get(network.base, ())
        for master in self._foreign_master(network.base, network.name):
            # The kernel gives a VLAN its frames before a bridge sees them.
            if network.vlan is None or self._facts.kinds.get(master) != "bridge":
                yield master

    def _foreign_master(self, port: str, user: str) -> Iterator[str]:
        """Name the bridge or bond that a device is a port of, unless that is ours to change."""
        master = self._facts.masters.get(port)
        if master is not None and master != user and master not in self._ours:
            yield master


def _refuse_used(where: str, device: str, others: Iterator[str]) -> None:
    for other in others:
        raise refusal(Code.USED_NIC, where, f"{quoted(device)} is used by {quoted(other)}")


def _base(network: Network) -> str:
    return path("networks", network.name, "nic" if network.nic else "bonding")
