# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons beside supervdsm, each in a unit of its own: DHCP, LLDP."""
