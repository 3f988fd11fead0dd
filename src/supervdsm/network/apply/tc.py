# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests of traffic control, in bytes: qdiscs, classes and filters. No I/O.

Source: tc(8), <linux/rtnetlink.h> (struct tcmsg), <linux/pkt_sched.h>, <linux/pkt_cls.h>,
<linux/tc_act/tc_mirred.h>. pyroute2 encodes neither a flower filter nor a cookie.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from supervdsm.network.kernel import attributes, socket
from supervdsm.network.qos import Curve, HfscClass

RTM_NEWQDISC: Final = 36
RTM_DELQDISC: Final = 37
RTM_GETQDISC: Final = 38
RTM_NEWTCLASS: Final = 40
RTM_NEWTFILTER: Final = 44
RTM_DELTFILTER: Final = 45
RTM_GETTFILTER: Final = 46

ROOT: Final = 0xFFFF_FFFF
"""The parent of a device's root qdisc."""
CLSACT: Final = 0xFFFF_FFF1
"""The parent of the qdisc that has filters only, for both ways."""
INGRESS: Final = 0xFFFF_FFF2
EGRESS: Final = 0xFFFF_FFF3
"""The parents of filters for what comes in by a device, and for what goes out."""
_CLSACT_HANDLE: Final = 0xFFFF_0000

HEADER: Final = struct.Struct("=BxxxiIII")
"""struct tcmsg: family, device index, handle, parent, info."""
_TCA_KIND: Final = 1
_TCA_OPTIONS: Final = 2
_ETH_P_ALL: Final = 0x0003
_ETH_P_8021Q: Final = 0x8100
_CREATE: Final = socket.NLM_F_CREATE | socket.NLM_F_EXCL

_HFSC_CURVE: Final = struct.Struct("=III")
_TCA_HFSC_RSC: Final = 1
_TCA_HFSC_FSC: Final = 2
_TCA_HFSC_USC: Final = 3

_TCA_FLOWER_CLASSID: Final = 1
_TCA_FLOWER_KEY_ETH_TYPE: Final = 8
_TCA_FLOWER_KEY_VLAN_ID: Final = 23
_FLOWER_PRIORITY: Final = 1

_TCA_U32_SEL: Final = 5
_TCA_U32_ACT: Final = 7
_MATCH_ALL: Final = struct.pack("=B15x", 1)
"""struct tc_u32_sel without a key: TC_U32_TERMINAL, and every frame matches."""
_FIRST_ACTION: Final = 1
_TCA_ACT_KIND: Final = 1
_TCA_ACT_OPTIONS: Final = 2
_TCA_ACT_COOKIE: Final = 6
_TCA_MIRRED_PARMS: Final = 2
_MIRRED: Final = struct.Struct("=IIiiiiI")
"""struct tc_mirred: index, capabilities, what comes after, references, bindings, what to do,
device index."""
_TC_ACT_UNSPEC: Final = -1
"""Go on with the next filter: one that is not ours shall see the frame too."""
_TCA_EGRESS_MIRROR: Final = 2


@dataclass(frozen=True, slots=True)
class Mirror:
    """A filter that copies every frame to a device, as we make them."""

    parent: int
    """INGRESS or EGRESS."""
    priority: int
    target: str
    """The name of the device, kept as the action's cookie: the device may be gone."""
    target_index: int
    """0 when the device is gone."""


def delete_root(index: int) -> bytes:
    """Remove the root qdisc of a device. The kernel says ENOENT when it is the default one."""
    return socket.message(RTM_DELQDISC, 0, HEADER.pack(0, index, 0, ROOT, 0))


def delete_hfsc(index: int, major: int) -> bytes:
    """Remove the root qdisc of a device if it is HFSC with this handle. The kernel says EINVAL or
    ENOENT when it is not.
    """
    header = HEADER.pack(0, index, major << 16, ROOT, 0)
    return socket.message(RTM_DELQDISC, 0, header + attributes.text(_TCA_KIND, "hfsc"))


def hfsc(index: int, major: int, default: int) -> bytes:
    """Make HFSC a device's root qdisc; `default` is the minor number of the class for what no
    filter takes.
    """
    options = attributes.attribute(_TCA_OPTIONS, struct.pack("=H", default))
    return _qdisc(index, "hfsc", ROOT, major << 16, options)


def hfsc_class(index: int, cls: HfscClass) -> bytes:
    """Make a class below the root of HFSC."""
    curves = ((_TCA_HFSC_RSC, cls.rt), (_TCA_HFSC_FSC, cls.ls), (_TCA_HFSC_USC, cls.ul))
    options = attributes.nested(
        _TCA_OPTIONS, *(_curve(kind, curve) for kind, curve in curves if curve is not None)
    )
    header = HEADER.pack(0, index, cls.handle, cls.handle & 0xFFFF_0000, 0)
    body = header + attributes.text(_TCA_KIND, "hfsc") + options
    return socket.message(RTM_NEWTCLASS, _CREATE, body)


def fq_codel(index: int, parent: int) -> bytes:
    """Give a class a queue that is fair to each flow."""
    return _qdisc(index, "fq_codel", parent, 0)


def vlan_filter(index: int, vlan: int, classid: int) -> bytes:
    """Put the frames of a VLAN into a class.

    flower finds the VLAN in a hash table, however many there are, wherever the tag is: a VLAN
    device leaves it beside the frame for the NIC to insert.
    """
    options = attributes.nested(
        _TCA_OPTIONS,
        attributes.u32(_TCA_FLOWER_CLASSID, classid),
        attributes.be16(_TCA_FLOWER_KEY_ETH_TYPE, _ETH_P_8021Q),
        attributes.u16(_TCA_FLOWER_KEY_VLAN_ID, vlan),
    )
    root = classid & 0xFFFF_0000
    return _filter(index, "flower", root, _FLOWER_PRIORITY, _ETH_P_8021Q, options)


def clsact(index: int) -> bytes:
    """Make room for filters of both ways. The kernel says EEXIST when there is."""
    return _qdisc(index, "clsact", CLSACT, _CLSACT_HANDLE)


def filter_room(index: int, messages: list[memoryview]) -> str:
    """Return the kind of the qdisc for filters that a device has, of a dump of all qdiscs:
    `clsact`, `ingress` (for one way), or nothing.
    """
    for message in messages:
        _, found, handle, _, _ = HEADER.unpack_from(message, socket.HEADER.size)
        if (found, handle) == (index, _CLSACT_HANDLE):
            told = attributes.table(message, socket.HEADER.size + HEADER.size)
            return attributes.string(told.get(_TCA_KIND, b""))
    return ""


def delete_clsact(index: int) -> bytes:
    """Remove that room with all filters in it."""
    header = HEADER.pack(0, index, _CLSACT_HANDLE, CLSACT, 0)
    return socket.message(RTM_DELQDISC, 0, header + attributes.text(_TCA_KIND, "clsact"))


def mirror(index: int, found: Mirror) -> bytes:
    """Copy every frame that passes `parent` to another device.

    The priority must be one that no filter of either way has: u32 keeps its tables for both
    together, and would show one way's filter in the other.
    """
    parameters = _MIRRED.pack(0, 0, _TC_ACT_UNSPEC, 0, 0, _TCA_EGRESS_MIRROR, found.target_index)
    action = attributes.nested(
        _FIRST_ACTION,
        attributes.text(_TCA_ACT_KIND, "mirred"),
        attributes.nested(_TCA_ACT_OPTIONS, attributes.attribute(_TCA_MIRRED_PARMS, parameters)),
        attributes.attribute(_TCA_ACT_COOKIE, found.target.encode()),
    )
    options = attributes.nested(
        _TCA_OPTIONS,
        attributes.attribute(_TCA_U32_SEL, _MATCH_ALL),
        attributes.nested(_TCA_U32_ACT, action),
    )
    return _filter(index, "u32", found.parent, found.priority, _ETH_P_ALL, options)


def delete_mirror(index: int, found: Mirror) -> bytes:
    """Remove a filter, with the table of its priority."""
    info = _info(found.priority, _ETH_P_ALL)
    header = HEADER.pack(0, index, 0, found.parent, info)
    return socket.message(RTM_DELTFILTER, 0, header + attributes.text(_TCA_KIND, "u32"))


def filters_of(index: int, parent: int) -> bytes:
    """Return the fixed part of a dump of the filters (RTM_GETTFILTER) at `parent`."""
    return HEADER.pack(0, index, 0, parent, 0)


def mirrors(messages: list[memoryview]) -> Iterator[Mirror]:
    """Decode those of the dumped filters that `mirror` made; others are left out."""
    for message in messages:
        _, _, _, parent, info = HEADER.unpack_from(message, socket.HEADER.size)
        told = attributes.table(message, socket.HEADER.size + HEADER.size)
        if attributes.string(told.get(_TCA_KIND, b"")) != "u32":
            continue
        options = attributes.table(told.get(_TCA_OPTIONS, b""))
        action = attributes.table(
            attributes.table(options.get(_TCA_U32_ACT, b"")).get(_FIRST_ACTION, b"")
        )
        parameters = attributes.table(action.get(_TCA_ACT_OPTIONS, b"")).get(_TCA_MIRRED_PARMS)
        cookie = action.get(_TCA_ACT_COOKIE)
        if parameters is None or cookie is None:
            continue
        *_, target_index = _MIRRED.unpack_from(parameters)
        yield Mirror(parent, info >> 16, attributes.string(cookie), target_index)


def priorities(messages: list[memoryview]) -> set[int]:
    """Return the priorities of dumped filters."""
    return {HEADER.unpack_from(message, socket.HEADER.size)[4] >> 16 for message in messages}


def _qdisc(index: int, kind: str, parent: int, handle: int, options: bytes = b"") -> bytes:
    header = HEADER.pack(0, index, handle, parent, 0)
    body = header + attributes.text(_TCA_KIND, kind) + options
    return socket.message(RTM_NEWQDISC, _CREATE, body)


def _filter(
    index: int, kind: str, parent: int, priority: int, protocol: int, options: bytes
) -> bytes:
    header = HEADER.pack(0, index, 0, parent, _info(priority, protocol))
    body = header + attributes.text(_TCA_KIND, kind) + options
    return socket.message(RTM_NEWTFILTER, _CREATE, body)


def _curve(kind: int, curve: Curve) -> bytes:
    return attributes.attribute(kind, _HFSC_CURVE.pack(curve.m1, curve.d, curve.m2))


def _info(priority: int, protocol: int) -> int:
    """Return a filter's `tcm_info`; the protocol is in network byte order in it."""
    return priority << 16 | attributes.number(struct.pack("!H", protocol))
