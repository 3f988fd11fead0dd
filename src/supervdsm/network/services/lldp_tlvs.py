# SPDX-License-Identifier: GPL-2.0-or-later
"""What lldpd(8) heard, in oVirt's words: `lldpcli -f json0 show neighbors details` to TLVs. No I/O.

Names, numbers and properties are those that oVirt's host agent has always reported; engines and the
LLDP labeler look for them. Types: IEEE 802.1AB, 8.4; organizations: annexes D (802.1), F (802.3).
lldpd keeps of a frame what it understands, so two things are less than in the frame: an 802.3 link
aggregation without a port ID is not told, and identifiers of odd subtypes are left out.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from vdsm_contract.types import LldpTlv

IEEE_8021: Final = 0x0080C2
IEEE_8023: Final = 0x00120F

_ORGANIZATION: Final = 127
_LINK_AGGREGATION: Final = 7
_CAPABLE: Final = 0x01
_AGGREGATED: Final = 0x02
_MAX_DIGITS: Final = 10
"""Of a port's number, which has 32 bits."""

_SUBTYPES: Final = {"mac": "MAC", "ifname": "Ifname", "ifalias": "IfAlias", "local": "Local"}
"""Of a chassis or port ID; an address (`ip`) is `IPv4` or `IPv6`."""


class _Value(msgspec.Struct):
    value: str = ""


class _Identifier(msgspec.Struct):
    type: str = ""
    value: str = ""


class _Capability(msgspec.Struct):
    type: str = ""
    enabled: bool = False


class _Chassis(msgspec.Struct, rename="kebab"):
    id: list[_Identifier] = []
    name: list[_Value] = []
    descr: list[_Value] = []
    mgmt_ip: list[_Value] = []
    mgmt_iface: list[_Value] = []
    capability: list[_Capability] = []


class _Port(msgspec.Struct):
    id: list[_Identifier] = []
    descr: list[_Value] = []
    ttl: list[_Value] = []
    mfs: list[_Value] = []
    aggregation: list[_Value] = []


class _Vlan(msgspec.Struct, rename="kebab"):
    vlan_id: str = ""
    pvid: bool = False
    value: str = ""


class _Unknown(msgspec.Struct):
    oui: str = ""
    subtype: str = ""
    value: str = ""


class _Unknowns(msgspec.Struct, rename="kebab"):
    unknown_tlv: list[_Unknown] = []


class Heard(msgspec.Struct, rename="kebab"):
    """One neighbour on the NIC `name`."""

    name: str
    via: str = ""
    chassis: list[_Chassis] = []
    port: list[_Port] = []
    vlan: list[_Vlan] = []
    unknown_tlvs: list[_Unknowns] = []


class _Interfaces(msgspec.Struct):
    interface: list[Heard] = []


class _Answer(msgspec.Struct):
    lldp: list[_Interfaces] = []


def decode(text: str) -> list[Heard]:
    """Return what lldpcli tells of neighbours or of interfaces. Raises ValueError."""
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return [heard for interfaces in answer.lldp for heard in interfaces.interface]


def tlvs(heard: Heard) -> list[LldpTlv]:
    """Return a neighbour's TLVs, in the order of their types."""
    chassis = heard.chassis[0] if heard.chassis else _Chassis()
    port = heard.port[0] if heard.port else _Port()
    return [
        *_identifier(1, "Chassis ID", "chassis ID", chassis.id),
        *_identifier(2, "Port ID", "port ID", port.id),
        *_text(3, "Time to Live", port.ttl),
        *_text(4, "Port Description", port.descr),
        *_text(5, "System Name", chassis.name),
        *_text(6, "System Description", chassis.descr),
        *_capabilities(chassis.capability),
        *_management(chassis),
        *_vlans(heard.vlan),
        *_aggregation(heard, port),
        *_text(_ORGANIZATION, "MTU", port.mfs, oui=IEEE_8023, subtype=4),
    ]


def _text(
    kind: int, name: str, values: Iterable[_Value], *, oui: int = 0, subtype: int = 0
) -> Iterator[LldpTlv]:
    for value in values:
        yield _tlv(kind, name, {name.lower(): value.value}, oui=oui, subtype=subtype)


def _tlv(
    kind: int, name: str, properties: dict[str, str], *, oui: int = 0, subtype: int = 0
) -> LldpTlv:
    if oui:
        return LldpTlv(kind, name, properties, oui, subtype)
    return LldpTlv(kind, name, properties)


def _identifier(
    kind: int, name: str, key: str, identifiers: Iterable[_Identifier]
) -> Iterator[LldpTlv]:
    for one in identifiers:
        subtype = _SUBTYPES.get(one.type) or (_version(one.value) if one.type == "ip" else "")
        if subtype and one.value:
            yield _tlv(kind, name, {f"{key} subtype": subtype, key: one.value})


def _capabilities(capabilities: list[_Capability]) -> Iterator[LldpTlv]:
    if capabilities:
        properties = {
            "system capabilities": ", ".join(one.type for one in capabilities),
            "enabled capabilities": ", ".join(one.type for one in capabilities if one.enabled),
        }
        yield _tlv(7, "System Capabilities", properties)


def _management(chassis: _Chassis) -> Iterator[LldpTlv]:
    numbers = [one.value for one in chassis.mgmt_iface]
    # Where an address has no interface, lldpcli leaves it out, and nobody knows which one it was.
    paired = len(numbers) == len(chassis.mgmt_ip)
    for position, address in enumerate(chassis.mgmt_ip):
        subtype = _version(address.value)
        if not subtype:
            continue
        properties = {"management address subtype": subtype, "management address": address.value}
        if paired:
            properties["interface numbering subtype"] = "Ifindex"
            properties["interface numbering"] = numbers[position]
        yield _tlv(8, "Management Address", properties)


def _vlans(vlans: Iterable[_Vlan]) -> Iterator[LldpTlv]:
    for vlan in vlans:
        if vlan.pvid:
            properties = {"Port VLAN ID": vlan.vlan_id}
            yield _tlv(_ORGANIZATION, "Port VLAN ID", properties, oui=IEEE_8021, subtype=1)
        if vlan.value:
            properties = {"VLAN ID": vlan.vlan_id, "VLAN Name": vlan.value}
            yield _tlv(_ORGANIZATION, "VLAN Name", properties, oui=IEEE_8021, subtype=3)


def _aggregation(heard: Heard, port: _Port) -> Iterator[LldpTlv]:
    """Link aggregation in the form of 802.1, which lldpd does not read, or in the older one of
    802.3. Both are reported as the first, which is what the labeler of networks looks for.
    """
    for unknowns in heard.unknown_tlvs:
        for one in unknowns.unknown_tlv:
            octets = _octets(one.value)
            if (_octets(one.oui), one.subtype) == (
                IEEE_8021.to_bytes(3, "big"),
                str(_LINK_AGGREGATION),
            ) and len(octets) == 5:
                yield _link_aggregation(octets[0], int.from_bytes(octets[1:], "big"))
                return
    for value in port.aggregation:
        if value.value.isdecimal() and len(value.value) <= _MAX_DIGITS:
            yield _link_aggregation(_CAPABLE | _AGGREGATED, int(value.value))


def _link_aggregation(status: int, port_id: int) -> LldpTlv:
    properties = {
        "Aggregation capable": str(bool(status & _CAPABLE)),
        "Currently aggregated": str(bool(status & _AGGREGATED)),
        "Aggregated Port ID": str(port_id),
    }
    return _tlv(
        _ORGANIZATION, "Link Aggregation", properties, oui=IEEE_8021, subtype=_LINK_AGGREGATION
    )


def _octets(text: str) -> bytes:
    """Read lldpcli's `00,80,C2`."""
    try:
        return bytes.fromhex(text.replace(",", ""))
    except ValueError:
        return b""


def _version(text: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(text).version}"
    except ValueError:
        return ""
