# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage domains on what is mounted: found, made, described, wiped."""
