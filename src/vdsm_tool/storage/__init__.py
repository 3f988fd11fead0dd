# SPDX-License-Identifier: GPL-2.0-or-later
"""What vdsm and the kernel know of the host's storage, for a person to read."""
