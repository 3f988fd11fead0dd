# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors of storage domains: whether each answers, how fast, and whether the host id is held."""
