# SPDX-License-Identifier: GPL-2.0-or-later
"""The host room: hardware facts and kernel settings."""

from supervdsm.host.room import HostRoom

__all__ = ["HostRoom"]
