# SPDX-License-Identifier: GPL-2.0-or-later
"""What vdsm and supervdsm must agree on, and nothing else."""
