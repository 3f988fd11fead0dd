# SPDX-License-Identifier: GPL-2.0-or-later
"""What vdsm does for the host's network beside answering calls: two threads of it."""
