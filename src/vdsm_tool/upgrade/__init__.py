# SPDX-License-Identifier: GPL-2.0-or-later
"""Swapping both images of a running host for two others, or for none: see docs/upgrade.md."""
