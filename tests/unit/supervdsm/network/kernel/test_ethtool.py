# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed and duplex, from bytes as the kernel writes them."""

import struct

import pytest

from supervdsm.network.kernel import attributes, ethtool, socket
from supervdsm.network.kernel.model import LinkMode


def reply(*attrs: bytes) -> memoryview:
    header = attributes.nested(1, attributes.u32(1, 7), attributes.text(2, "eno1"))
    body = struct.pack("=BBxx", 4, 1) + header + b"".join(attrs)
    return memoryview(socket.message(21, 0, body))


@pytest.mark.parametrize(
    ("speed", "duplex", "mode"),
    [
        (10000, 1, LinkMode(10000, "full")),
        (100, 0, LinkMode(100, "half")),
        # "Unknown" in 32 and in 16 bits.
        (4294967295, 255, LinkMode(0, "unknown")),
        (65535, 255, LinkMode(0, "unknown")),
    ],
)
def test_speed_and_duplex(speed: int, duplex: int, mode: LinkMode) -> None:
    assert ethtool.decode(reply(attributes.u32(5, speed), attributes.u8(6, duplex))) == mode


def test_a_driver_that_tells_neither() -> None:
    assert ethtool.decode(reply()) == LinkMode(0, "unknown")
