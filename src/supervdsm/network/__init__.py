# SPDX-License-Identifier: GPL-2.0-or-later
"""The network room: what the host's network is and how it does."""
