# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says of the network: netlink and sysfs, read only."""
