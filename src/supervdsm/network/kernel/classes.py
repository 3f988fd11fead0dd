# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic classes: RTM_NEWTCLASS of HFSC. Source: tc-hfsc(7), <linux/pkt_sched.h>. No I/O."""

import socket
import struct
from typing import Final

from supervdsm.network.kernel import attributes
from supervdsm.network.qos import Curve, HfscClass

RTM_GETTCLASS: Final = 42
HFSC: Final = "hfsc"

_HEADER: Final = struct.Struct("=BxxxiIII")
"""struct tcmsg: family, index, handle, parent, info."""
_MESSAGE: Final = struct.Struct("=16xBxxxiIII")

_TCA_KIND: Final = 1
_TCA_OPTIONS: Final = 2
_WANTED: Final = frozenset({_TCA_KIND, _TCA_OPTIONS})
_TCA_HFSC_RSC: Final = 1
_TCA_HFSC_FSC: Final = 2
_TCA_HFSC_USC: Final = 3
_CURVE: Final = struct.Struct("=III")


def of(index: int) -> bytes:
    """Return the fixed part of a dump of a device's classes."""
    return _HEADER.pack(socket.AF_UNSPEC, index, 0, 0, 0)


def decode(message: memoryview) -> HfscClass | None:
    """Decode RTM_NEWTCLASS; None for a class of another discipline."""
    _, _, handle, _, _ = _MESSAGE.unpack_from(message)
    found = attributes.select(message, _MESSAGE.size, _WANTED)
    if attributes.string(found.get(_TCA_KIND, b"")) != HFSC:
        return None
    curves = attributes.table(found.get(_TCA_OPTIONS, b""))
    return HfscClass(
        handle=handle,
        ls=_curve(curves.get(_TCA_HFSC_FSC)),
        ul=_curve(curves.get(_TCA_HFSC_USC)),
        rt=_curve(curves.get(_TCA_HFSC_RSC)),
    )


def _curve(value: memoryview | None) -> Curve | None:
    if value is None:
        return None
    m1, d, m2 = _CURVE.unpack_from(value)
    return Curve(m1=m1, d=d, m2=m2)
