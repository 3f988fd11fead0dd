# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pair does now: its units, its containers, its answers, its certificates."""
