# SPDX-License-Identifier: GPL-2.0-or-later
"""Outbound traffic shaping: oVirt's QoS of the networks on a device as HFSC classes, and back.

oVirt's layout: the root qdisc has the handle 1389: (5001), and each network a class of its own
whose minor number is the VLAN's id, or 1388 (5000) for the network without a tag. Source of the
curves: tc-hfsc(7) and `struct tc_service_curve`: bytes per second and microseconds, 32 bits each.

oVirt's upper limit and real time are bits per second; its link share is a weight (the engine's
form has 1 to 100) and goes into the kernel as it is, so that small weights stay apart. No I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

ROOT_HANDLE: Final = 5001
UNTAGGED_CLASS: Final = 5000
NO_VLAN: Final = -1
OTHERS_CLASS: Final = 5001
"""For what no network's class takes, when the network without a tag has no QoS: it belongs to no
network and is not reported."""
_PRIORITY_CLASS: Final = 4095
"""The class of VLAN 0 (frames with a priority only): minor number 0 is the root class, and 4095
no VLAN's id."""
_MAX_VLAN: Final = 4094
_BITS: Final = 8
_MAX_IN_KERNEL: Final = 2**32 - 1
MAX_RATE: Final = _MAX_IN_KERNEL * _BITS
"""The fastest upper limit or real time, in bits per second: 34.4 Gbit/s."""
MAX_SHARE: Final = _MAX_IN_KERNEL


@dataclass(frozen=True, slots=True)
class Curve:
    """A service curve as the kernel has it: `m1` and `m2` in bytes per second, `d` in
    microseconds.
    """

    m1: int
    d: int
    m2: int


@dataclass(frozen=True, slots=True)
class HfscClass:
    """A class: link share, upper limit and real time curve."""

    handle: int
    """Major number in the upper 16 bits, minor in the lower."""
    ls: Curve | None = None
    ul: Curve | None = None
    rt: Curve | None = None


def device_qos(classes: Iterable[HfscClass]) -> tuple[DeviceQos, ...]:
    """Return the QoS of each network on a device, in the order of VLAN ids.

    Classes of somebody else's qdisc, the root class, the one that belongs to no network and
    classes without a link share are left out.
    """
    found = []
    for cls in classes:
        major, minor = cls.handle >> 16, cls.handle & 0xFFFF
        vlan = _vlan(minor)
        if major != ROOT_HANDLE or vlan is None or cls.ls is None:
            continue
        out = QosClass(
            ls=_from_kernel(cls.ls, 1),
            ul=_from_kernel(cls.ul, _BITS) if cls.ul else UNSET,
            rt=_from_kernel(cls.rt, _BITS) if cls.rt else UNSET,
        )
        found.append(DeviceQos(hostQos=HostQos(out=out), vlan=vlan))
    return tuple(sorted(found, key=lambda qos: qos.vlan))


def hfsc_classes(qos: Iterable[DeviceQos]) -> tuple[HfscClass, ...]:
    """Return the class of each network on a device: what `device_qos` reads.

    The kernel has whole bytes: rates are rounded down to multiples of 8 bit/s, but not to nothing.
    It has no curve of nothing, either.
    """
    return tuple(
        HfscClass(
            handle=ROOT_HANDLE << 16 | class_of(one.vlan),
            ls=_to_kernel(one.hostQos.out.ls, 1),
            ul=_to_kernel(one.hostQos.out.ul, _BITS) if one.hostQos.out.ul else None,
            rt=_to_kernel(one.hostQos.out.rt, _BITS) if one.hostQos.out.rt else None,
        )
        for one in qos
    )


def as_kernel_has_it(qos: Iterable[DeviceQos]) -> tuple[DeviceQos, ...]:
    """Return the QoS as it will be read once the kernel has it: what to compare with."""
    return device_qos(hfsc_classes(qos))


def class_of(vlan: int) -> int:
    """Return the minor number of a VLAN's class; `vlan` is -1 for the network without a tag."""
    return {NO_VLAN: UNTAGGED_CLASS, 0: _PRIORITY_CLASS}.get(vlan, vlan)


def _vlan(minor: int) -> int | None:
    if 0 < minor <= _MAX_VLAN:
        return minor
    return {UNTAGGED_CLASS: NO_VLAN, _PRIORITY_CLASS: 0}.get(minor)


def _from_kernel(curve: Curve, unit: int) -> QosCurve:
    return QosCurve(m1=curve.m1 * unit, d=curve.d, m2=curve.m2 * unit)


def _to_kernel(curve: QosCurve, unit: int) -> Curve | None:
    if not curve.m1 and not curve.m2:
        return None
    return Curve(
        m1=_slope(curve.m1, unit), d=min(max(curve.d, 0), _MAX_IN_KERNEL), m2=_slope(curve.m2, unit)
    )


def _slope(rate: int, unit: int) -> int:
    return min(max(rate // unit, 1), _MAX_IN_KERNEL) if rate > 0 else 0
