# SPDX-License-Identifier: GPL-2.0-or-later
"""Turn pyroute2's decoded rtnetlink messages into the room's own values.

Source of the attributes: <linux/if_link.h>, <linux/if_addr.h>, <linux/rtnetlink.h>. No I/O.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from supervdsm.network.kernel.model import Address, BondPort, Counters, DefaultRoute, Link
from supervdsm.network.qos import Curve, HfscClass

AF_INET: Final = 2
AF_INET6: Final = 10
_VERSIONS: Final = {AF_INET: 4, AF_INET6: 6}

_IFA_F_SECONDARY: Final = 0x01
"""IPv4: not the primary address of its subnet. IPv6 has the same bit for a temporary address."""
_IFA_F_PERMANENT: Final = 0x80
_RT_SCOPE_LINK: Final = 253
_IFAPROT_KERNEL_RA: Final = 2
_RTN_UNICAST: Final = 1
_BR_NO_STP: Final = 0


class Message(Protocol):
    """What we use of pyroute2's `nlmsg`, which has no types of its own."""

    def __getitem__(self, key: str, /) -> Any: ...
    def get_attr(self, name: str, /) -> Any: ...
    def get_nested(self, *names: str) -> Any: ...


def link(message: Message) -> Link:
    """Decode RTM_NEWLINK."""
    kind = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or ""
    foreign = message.get_attr("IFLA_LINK_NETNSID") is not None
    return Link(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        kind=kind,
        flags=message["flags"],
        mtu=message.get_attr("IFLA_MTU") or 0,
        hwaddr=message.get_attr("IFLA_ADDRESS") or "",
        physical=bool(message.get_attr("IFLA_PARENT_DEV_NAME")),
        master=message.get_attr("IFLA_MASTER") or 0,
        lower=0 if foreign else message.get_attr("IFLA_LINK") or 0,
        vlanid=_data(message, "IFLA_VLAN_ID") or 0 if kind == "vlan" else 0,
        stp=kind == "bridge" and _data(message, "IFLA_BR_STP_STATE") != _BR_NO_STP,
        ipv6autoconf=_ipv6_autoconf(message),
        qdisc=message.get_attr("IFLA_QDISC") or "",
        port=_bond_port(message),
    )


def counters(message: Message) -> Counters:
    """Decode the counters of RTM_NEWLINK."""
    stats = message.get_attr("IFLA_STATS64")
    if stats is None:
        return Counters()
    return Counters(
        rx=stats["rx_bytes"],
        tx=stats["tx_bytes"],
        rx_errors=stats["rx_errors"],
        tx_errors=stats["tx_errors"],
        rx_dropped=stats["rx_dropped"],
        tx_dropped=stats["tx_dropped"],
    )


def addresses(messages: Iterable[Message]) -> Iterator[Address]:
    """Decode RTM_NEWADDR; addresses of other families are left out."""
    for message in messages:
        version = _VERSIONS.get(message["family"])
        # IFA_LOCAL is our end of a point-to-point link, and IFA_ADDRESS the other; IPv6 has the
        # first only on such links.
        local = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if version is None or not local:
            continue
        # The header has only the lower 8 flags.
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        yield Address(
            index=message["index"],
            version=version,
            address=local,
            prefixlen=message["prefixlen"],
            link_local=version == 6 and message["scope"] == _RT_SCOPE_LINK,
            secondary=bool(flags & _IFA_F_SECONDARY),
            dynamic=not flags & _IFA_F_PERMANENT,
            autoconf=message.get_attr("IFA_PROTO") == _IFAPROT_KERNEL_RA,
        )


def default_routes(messages: Iterable[Message]) -> Iterator[DefaultRoute]:
    """Decode RTM_NEWROUTE of default routes: one value for each next hop. Others are left out."""
    for message in messages:
        version = _VERSIONS.get(message["family"])
        if version is None or message["dst_len"] != 0 or message["type"] != _RTN_UNICAST:
            continue
        for hop in message.get_attr("RTA_MULTIPATH") or (message,):
            index = hop.get_attr("RTA_OIF") if hop is message else hop["oif"]
            if not index:
                continue
            yield DefaultRoute(
                index=index,
                version=version,
                table=message.get_attr("RTA_TABLE") or message["table"],
                gateway=hop.get_attr("RTA_GATEWAY") or "",
                metric=message.get_attr("RTA_PRIORITY") or 0,
            )


def hfsc_classes(messages: Iterable[Message]) -> Iterator[HfscClass]:
    """Decode RTM_NEWTCLASS; classes of other disciplines are left out."""
    for message in messages:
        if message.get_attr("TCA_KIND") == "hfsc":
            yield HfscClass(
                handle=message["handle"],
                ls=_curve(message.get_nested("TCA_OPTIONS", "TCA_HFSC_FSC")),
                ul=_curve(message.get_nested("TCA_OPTIONS", "TCA_HFSC_USC")),
                rt=_curve(message.get_nested("TCA_OPTIONS", "TCA_HFSC_RSC")),
            )


def _data(message: Message, name: str) -> Any:
    return message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", name)


def _bond_port(message: Message) -> BondPort | None:
    if message.get_nested("IFLA_LINKINFO", "IFLA_INFO_SLAVE_KIND") != "bond":
        return None
    data = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_SLAVE_DATA")
    return BondPort(
        permhwaddr=data.get_attr("IFLA_BOND_SLAVE_PERM_HWADDR") or "",
        aggregator=data.get_attr("IFLA_BOND_SLAVE_AD_AGGREGATOR_ID"),
    )


def _ipv6_autoconf(message: Message) -> bool:
    """Tell whether the kernel itself makes addresses from router advertisements.

    Source: Documentation/networking/ip-sysctl.rst, `accept_ra`: 1 holds unless the device forwards.
    """
    conf = message.get_nested("IFLA_AF_SPEC", "AF_INET6", "IFLA_INET6_CONF")
    if conf is None or conf["disable_ipv6"] or not conf["autoconf"]:
        return False
    return bool(conf["accept_ra"] == 2 or (conf["accept_ra"] == 1 and not conf["forwarding"]))


def _curve(value: Any) -> Curve | None:
    return None if value is None else Curve(m1=value["m1"], d=value["d"], m2=value["m2"])
