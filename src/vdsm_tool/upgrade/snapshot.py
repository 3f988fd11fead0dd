# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be the same after an upgrade: networks and mounts, as the kernel has them."""

from msgspec import Struct


class Snapshot(Struct, frozen=True):
    """Lines that each name one thing, for example "mount nfs1:/data on /rhev/…"."""

    mounts: list[str]
    networks: list[str]
