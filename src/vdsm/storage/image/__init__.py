# SPDX-License-Identifier: GPL-2.0-or-later
"""Images: disks that are made of a chain of volumes."""
