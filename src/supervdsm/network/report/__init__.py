# SPDX-License-Identifier: GPL-2.0-or-later
"""Capabilities and statistics: what the kernel says, in oVirt's words. No I/O but files of ours."""
