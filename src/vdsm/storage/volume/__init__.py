# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes of file domains: what is made, changed and told of them, and qemu-img as a child."""
