# SPDX-License-Identifier: GPL-2.0-or-later
"""The state that a change starts from and is verified by: dumped afresh each time, by names.

Left out is what nobody configures: link-local IPv6 addresses, addresses and routes that the kernel
makes by itself or from router advertisements, and of bonds and bridges what cannot be set. Left out
is also what `plan.state.Route` cannot say: routes with several next hops, tunnels, metrics' kin.
"""

import ipaddress
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from supervdsm.network import bonding
from supervdsm.network.kernel import bridges, model, netlink
from supervdsm.network.kernel.devices import NicPatterns, Role, role
from supervdsm.network.kernel.model import IFF_UP, Ipv6Settings, Link
from supervdsm.network.kernel.netlink import Netlink
from supervdsm.network.plan.state import (
    MAIN_TABLE,
    RULE_PRIORITY,
    Address,
    Device,
    Dhcp,
    Ipv6,
    Kind,
    Route,
    Rule,
    State,
    source_table,
)
from supervdsm.network.qos import device_qos
from vdsm_contract.types import DeviceQos

_log = logging.getLogger(__name__)

_DUMPS: Final = 5
_IPV6_METRIC: Final = 1024
"""What the kernel takes for an IPv6 route that is added without a metric."""
_NO_BROADCAST: Final = 31
"""Subnets from this prefix length on have no broadcast address (RFC 3021)."""
_ACTIVE_SLAVE: Final = "active_slave"
_BOND_PORTS: Final = ("primary", _ACTIVE_SLAVE)
_KINDS: Final[Mapping[Role, Kind]] = {
    Role.NIC: "nic",
    Role.BOND: "bond",
    Role.BRIDGE: "bridge",
    Role.VLAN: "vlan",
}


class Reader:
    """Reads the network namespace of this process.

    `patterns` says which devices are NICs, `dhcp` which DHCP clients run, and `nameservers` what
    resolv.conf names.
    """

    def __init__(
        self,
        *,
        patterns: NicPatterns,
        dhcp: Callable[[], dict[str, Dhcp]],
        nameservers: Callable[[], Sequence[str]],
    ) -> None:
        self._patterns = patterns
        self._dhcp = dhcp
        self._nameservers = nameservers

    def read(self) -> State:
        """Read everything. Raises NetlinkFailed."""
        with netlink.connected() as kernel:
            dump = _consistent(kernel)
            shaping = {
                link.name: device_qos(kernel.hfsc_classes(link)) for link in dump.links.values()
            }
        owned = defaultdict(list)
        for address in dump.addresses:
            if not _made_by_kernel(address):
                owned[address.index].append(_address(address))
        return State(
            devices={
                link.name: self._device(dump, link, tuple(owned[link.index]), shaping[link.name])
                for link in dump.links.values()
            },
            routes=frozenset(_routes(dump)),
            rules=frozenset(_rules(dump)),
            dhcp=self._dhcp(),
            nameservers=tuple(self._nameservers()),
        )

    def _device(
        self,
        dump: "_Dump",
        link: Link,
        owned: tuple[Address, ...],
        shaping: tuple[DeviceQos, ...],
    ) -> Device:
        shown = role(link, self._patterns)
        kind = _KINDS[shown] if shown else "other"
        return Device(
            name=link.name,
            kind=kind,
            up=bool(link.flags & IFF_UP),
            mtu=link.mtu,
            hwaddr=link.hwaddr,
            permanent_hwaddr=link.port.permhwaddr if link.port else "",
            master=dump.name(link.master),
            lower=dump.name(link.lower) if kind == "vlan" else "",
            vlan=link.vlanid,
            options=_options(dump, link, kind),
            ipv6=_ipv6(link.ipv6),
            addresses=owned,
            qos=shaping,
        )


class _Dump:
    """What the kernel said, as it said it."""

    def __init__(
        self,
        links: Iterable[Link],
        found: Iterable[model.Address],
        ways: Iterable[model.Route],
        rules: Iterable[model.Rule],
    ) -> None:
        self.links = {link.index: link for link in links}
        self.addresses = tuple(found)
        self.routes = tuple(ways)
        self.rules = tuple(rules)

    def name(self, index: int) -> str:
        """Return the name of a device; empty when there is none."""
        link = self.links.get(index)
        return link.name if link else ""

    @property
    def complete(self) -> bool:
        """Whether every device that something belongs to is there."""
        indexes = {address.index for address in self.addresses}
        indexes.update(route.index for route in self.routes)
        indexes.update(link.master for link in self.links.values() if link.master)
        return indexes <= self.links.keys()


def _consistent(kernel: Netlink) -> _Dump:
    """Dump until the parts fit each other: devices may come and go between them."""
    for attempt in range(1, _DUMPS + 1):
        dump = _Dump(kernel.links(), kernel.addresses(), kernel.routes(), kernel.rules())
        if dump.complete or attempt == _DUMPS:
            break
    if not dump.complete:
        _log.warning("Devices came and went during each of %d dumps; using the last", _DUMPS)
    return dump


def _made_by_kernel(address: model.Address) -> bool:
    temporary = address.version == 6 and address.secondary
    return address.link_local or address.autoconf or temporary


def _options(dump: _Dump, link: Link, kind: Kind) -> dict[str, str] | None:
    """Return what can be set, with names for indexes."""
    if kind == "bridge":
        return bridges.settable(link.options)
    if kind != "bond":
        return None
    found = {
        name: value
        for name, value in link.options.items()
        if name in bonding.OPTIONS or name == _ACTIVE_SLAVE
    }
    for name in _BOND_PORTS:
        if found.get(name):
            found[name] = dump.name(int(found[name]))
    return found


def _ipv6(settings: Ipv6Settings | None) -> Ipv6 | None:
    if settings is None:
        return None
    return Ipv6(settings.disabled, settings.accept_ra, settings.autoconf, settings.defrtr)


def _address(found: model.Address) -> Address:
    return Address(found.cidr, found.lifetime, _broadcast(found), found.peer)


def _broadcast(found: model.Address) -> str | None:
    """Return it unless it is what every address of the subnet has."""
    usual = ""
    if found.version == 4 and found.prefixlen < _NO_BROADCAST:
        usual = str(ipaddress.IPv4Interface(found.cidr).network.broadcast_address)
    return None if found.broadcast == usual else found.broadcast


def _routes(dump: _Dump) -> Iterator[Route]:
    tables = {MAIN_TABLE, *(source_table(link.name) for link in dump.links.values())}
    tables.update(rule.table for rule in dump.rules if rule.priority == RULE_PRIORITY)
    for route in dump.routes:
        device = dump.name(route.index)
        if device and route.plain and route.table in tables:
            default = route.version == 6 and route.metric == _IPV6_METRIC
            yield Route(
                device=device,
                destination=route.destination,
                gateway=route.gateway,
                table=route.table,
                metric=0 if default else route.metric,
                source=route.source,
                protocol=route.protocol,
                onlink=route.onlink,
                link_scope=route.link_scope,
            )


def _rules(dump: _Dump) -> Iterator[Rule]:
    for rule in dump.rules:
        if rule.priority == RULE_PRIORITY:
            yield Rule(
                table=rule.table,
                source=rule.source,
                destination=rule.destination,
                iif=rule.iif,
                version=4 if rule.version == 4 else 6,
            )
