# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic classes, from bytes as the kernel writes them."""

import struct

from supervdsm.network.kernel import attributes, classes, socket
from supervdsm.network.qos import Curve, HfscClass


def test_an_hfsc_class() -> None:
    curves = attributes.nested(
        2,
        attributes.attribute(1, struct.pack("=III", 1, 2, 3)),
        attributes.attribute(2, struct.pack("=III", 0, 0, 125)),
    )
    assert classes.decode(message("hfsc", curves)) == HfscClass(
        0x13891388, ls=Curve(0, 0, 125), rt=Curve(1, 2, 3)
    )


def test_a_class_without_curves() -> None:
    assert classes.decode(message("hfsc", b"")) == HfscClass(0x13891388)


def test_a_class_of_another_discipline() -> None:
    assert classes.decode(message("htb", b"")) is None


def message(kind: str, options: bytes) -> memoryview:
    header = struct.pack("=BxxxiIII", 0, 7, 0x13891388, 0x13890000, 0)
    return memoryview(socket.message(40, 0, header + attributes.text(1, kind) + options))
