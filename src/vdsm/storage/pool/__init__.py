# SPDX-License-Identifier: GPL-2.0-or-later
"""The storage pool: its domains, its master, and the host that manages it (SPM)."""
