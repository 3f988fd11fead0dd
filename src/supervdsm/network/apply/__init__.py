# SPDX-License-Identifier: GPL-2.0-or-later
"""Do it: operations as netlink messages and writes to sysfs."""
