# SPDX-License-Identifier: GPL-2.0-or-later
"""From a JSON object to a typed network or bond, with every default.

Names, aliases and defaults: upstream-vdsm 3.1. What an attribute is, is checked here; whether it
makes sense is for `validate`. Text that is an address stays as it was written until then, except
where its canonical form is another. No I/O.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import UNSET

from supervdsm.network.config import DEFAULT_MTU, LEGACY, Bond, Network
from supervdsm.network.qos import MAX_RATE, MAX_SHARE
from supervdsm.network.request import bridge_opts
from supervdsm.network.request.bridge_opts import BadBridgeOption
from supervdsm.network.request.fields import Fields
from supervdsm.network.request.refusal import Code, quoted, refusal
from vdsm_contract.types import HostQos, QosClass, QosCurve

_VOLATILE: Final = ("blockingdhcp",)
"""What upstream takes and does not store."""
_NO_GATEWAY: Final = "::"
_BITS: Final = 32
"""Of an IPv4 address."""
_MAX_DELAY: Final = 2**32 - 1
"""Microseconds of a curve's first slope."""


def network(name: str, fields: Fields, nameservers: Sequence[str] = ()) -> Network:
    """Take a network out of `fields`; what is left there is unknown.

    `nameservers` are the host's: those of a static network with the default route that names none.
    Raises NetworkConfigError.
    """
    fields.drop(*_VOLATILE)
    custom, ovs, default_route, stp_option = _custom(fields)
    _refuse_ovs(fields, ovs=ovs)
    bridged = fields.flag("bridged", default=True)
    stp = _stp(fields, stp_option)
    default = fields.flag("defaultRoute", default=False)
    default = default if default_route is None else default_route
    bootproto = _bootproto(fields)
    named = fields.texts("nameservers")
    if named is None:
        named = tuple(nameservers) if default and bootproto != "dhcp" else ()
    nic, bonding = fields.text("nic", Code.BAD_NIC), fields.text("bonding", Code.BAD_BONDING)
    return Network(
        name=name,
        nic=nic,
        bonding=None if nic else bonding,
        vlan=fields.integer("vlan", Code.BAD_VLAN),
        bridged=bridged,
        mtu=_mtu(fields),
        stp=stp and bridged,
        defaultRoute=default,
        bootproto=bootproto,
        ipaddr=fields.text("ipaddr", Code.BAD_ADDR),
        netmask=_netmask(fields),
        gateway=fields.text("gateway", Code.BAD_ADDR),
        ipv6addr=_ipv6addr(fields),
        ipv6gateway=_ipv6gateway(fields),
        dhcpv6=fields.flag("dhcpv6", default=False),
        ipv6autoconf=fields.flag("ipv6autoconf", default=False),
        nameservers=tuple(dict.fromkeys(named)),
        hostQos=_host_qos(fields),
        custom=custom,
    )


def bond(name: str, fields: Fields) -> Bond:
    """Take a bond out of `fields`; what is left there is unknown. `options` stays as written.

    Raises NetworkConfigError.
    """
    _refuse_ovs(fields, ovs=False)
    hwaddr = fields.text("hwaddr")
    return Bond(
        name=name,
        nics=tuple(sorted(fields.texts("nics") or ())),
        options=fields.text("options", Code.BAD_BONDING) or "",
        hwaddr=hwaddr.lower() if hwaddr else None,
    )


def is_removal(fields: Fields) -> bool:
    """Take `remove`."""
    return fields.flag("remove", default=False)


def _custom(
    fields: Fields,
) -> tuple[dict[str, str] | None, bool, bool | None, bool | None]:
    """Take `custom`: what is kept of it, and what it says of OVS, default route and STP.

    Properties that are not known here belong to the administrator's hooks (upstream-vdsm 3.1).
    """
    custom = fields.nested("custom")
    if custom is None:
        return None, False, None, None
    ovs = custom.flag("ovs", default=False)
    default_route = custom.optional_flag("default_route")
    options, stp = _bridge_opts(custom)
    kept = {"bridge_opts": options} if options else {}
    for key, value in custom.rest().items():
        if not isinstance(value, (str, int)) or not key.isprintable():
            raise refusal(Code.BAD_PARAMS, custom.path(key), f"must be text, not {quoted(value)}")
        text = quoted(value) if isinstance(value, int) else value
        if not text.isprintable():
            raise refusal(Code.BAD_PARAMS, custom.path(key), f"must be one line: {quoted(value)}")
        kept[key] = text
    return kept or None, ovs, default_route, stp


def _bridge_opts(custom: Fields) -> tuple[str, bool | None]:
    """Take `bridge_opts`: its canonical text without STP, and what it says of that."""
    try:
        options = bridge_opts.parse(custom.text("bridge_opts") or "")
    except BadBridgeOption as error:
        where = custom.path("bridge_opts")
        raise refusal(Code.BAD_PARAMS, where, f"{quoted(error.word)} {error}") from error
    stp = options.pop("stp_state", None)
    return bridge_opts.render(options), None if stp is None else stp != "0"


def _refuse_ovs(fields: Fields, *, ovs: bool) -> None:
    switch = fields.text("switch") or LEGACY
    if ovs or switch != LEGACY:
        reason = (
            "Open vSwitch is not available: networks are made of the kernel's own bridges, bonds "
            f"and VLANs (legacy); asked for was {quoted('ovs' if ovs else switch)}"
        )
        raise refusal(Code.BAD_PARAMS, fields.path("switch"), reason)


def _stp(fields: Fields, option: bool | None) -> bool:
    # `stp` is the name; `STP` is taken when it is missing.
    found = fields.optional_flag("stp")
    alias = fields.optional_flag("STP")
    stp = alias if found is None else found
    if option is not None and stp not in (None, option):
        reason = "contradicts custom.bridge_opts, stp_state"
        raise refusal(Code.BAD_PARAMS, fields.path("stp"), reason)
    return bool(option if stp is None else stp)


def _bootproto(fields: Fields) -> Literal["none", "dhcp"]:
    match fields.text("bootproto"):
        case None | "none":
            return "none"
        case "dhcp":
            return "dhcp"
        case other:
            reason = f"must be none or dhcp, not {quoted(other)}"
            raise refusal(Code.BAD_PARAMS, fields.path("bootproto"), reason)


def _mtu(fields: Fields) -> int:
    mtu = fields.integer("mtu")
    return DEFAULT_MTU if mtu is None else mtu


def _netmask(fields: Fields) -> str | None:
    """Take `netmask` or `prefix`: the dotted form of either."""
    if fields.has("prefix") and fields.has("netmask"):
        raise refusal(Code.BAD_PARAMS, fields.path("prefix"), "is given together with netmask")
    prefix = fields.integer("prefix", Code.BAD_ADDR)
    if prefix is not None:
        return _dotted(fields.path("prefix"), str(prefix) if prefix <= _BITS else "")
    netmask = fields.text("netmask", Code.BAD_ADDR)
    return None if netmask is None else _dotted(fields.path("netmask"), netmask)


def _dotted(where: str, text: str) -> str:
    try:
        found = str(ipaddress.IPv4Network(f"0.0.0.0/{text}").netmask)
    except ValueError:
        found = ""
    # A wildcard mask (0.0.0.255) is read by ipaddress, too.
    if not found or ("." in text and text != found):
        raise refusal(Code.BAD_ADDR, where, f"is no netmask: {quoted(text)}")
    return found


def _ipv6addr(fields: Fields) -> str | None:
    given = fields.text("ipv6addr", Code.BAD_ADDR)
    if given is None:
        return None
    try:
        found = ipaddress.IPv6Interface(given)
    except ValueError:
        found = None
    if found is None or "%" in given:
        reason = f"is no IPv6 address: {quoted(given)}"
        raise refusal(Code.BAD_ADDR, fields.path("ipv6addr"), reason)
    return str(found)


def _ipv6gateway(fields: Fields) -> str | None:
    """Take `ipv6gateway`; the engine writes `::` for none, and others may write `::0`."""
    given = fields.text("ipv6gateway", Code.BAD_ADDR)
    if given is None:
        return None
    try:
        found = ipaddress.IPv6Address(given)
    except ValueError:
        found = None
    if found is None or "%" in given:
        reason = f"is no IPv6 address: {quoted(given)}"
        raise refusal(Code.BAD_ADDR, fields.path("ipv6gateway"), reason)
    address = str(found)
    return None if address == _NO_GATEWAY else address


def _host_qos(fields: Fields) -> HostQos | None:
    qos = fields.nested("hostQos")
    if qos is None:
        return None
    out = qos.nested("out")
    qos.refuse_unknown()
    if out is None:
        return None
    ls, ul, rt = (
        _curve(out, "ls", MAX_SHARE),
        _curve(out, "ul", MAX_RATE),
        _curve(out, "rt", MAX_RATE),
    )
    out.refuse_unknown()
    if ls is None:
        # A class without a link share gets nothing of what the others leave.
        raise refusal(Code.BAD_PARAMS, out.path("ls"), "is missing, or nothing")
    return HostQos(out=QosClass(ls=ls, ul=ul or UNSET, rt=rt or UNSET))


def _curve(out: Fields, key: str, limit: int) -> QosCurve | None:
    """Take a curve; one of nothing is as if it was missing."""
    fields = out.nested(key)
    if fields is None:
        return None
    found = {name: fields.integer(name) or 0 for name in ("m1", "d", "m2")}
    fields.refuse_unknown()
    for name, value in found.items():
        most = _MAX_DELAY if name == "d" else limit
        if value > most:
            raise refusal(Code.BAD_PARAMS, fields.path(name), f"must be at most {most}")
    if not found["m1"] and not found["m2"]:
        return None
    return QosCurve(**found)
