# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm's side of storage: what needs no privilege, and what supervdsm is asked for."""
