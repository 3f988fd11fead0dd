# SPDX-License-Identifier: GPL-2.0-or-later
"""Outbound traffic shaping: HFSC classes of a device, read as the QoS of its networks.

oVirt's layout: the root qdisc has the handle 1389: (5001), and each network a class of its own
whose minor number is the VLAN's id, or 1388 (5000) for the network without a tag. Source of the
curves: tc-hfsc(7) and `struct tc_service_curve`: bytes per second and microseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

ROOT_HANDLE: Final = 5001
UNTAGGED_CLASS: Final = 5000
NO_VLAN: Final = -1
_BITS: Final = 8


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

    Classes of somebody else's qdisc, the root class and classes without a link share are left out.
    """
    found = []
    for cls in classes:
        major, minor = cls.handle >> 16, cls.handle & 0xFFFF
        if major != ROOT_HANDLE or minor == 0 or cls.ls is None:
            continue
        out = QosClass(
            ls=_in_bits(cls.ls),
            ul=_in_bits(cls.ul) if cls.ul else UNSET,
            rt=_in_bits(cls.rt) if cls.rt else UNSET,
        )
        vlan = NO_VLAN if minor == UNTAGGED_CLASS else minor
        found.append(DeviceQos(hostQos=HostQos(out=out), vlan=vlan))
    return tuple(sorted(found, key=lambda qos: qos.vlan))


def _in_bits(curve: Curve) -> QosCurve:
    return QosCurve(m1=curve.m1 * _BITS, d=curve.d, m2=curve.m2 * _BITS)
