# SPDX-License-Identifier: GPL-2.0-or-later
"""The storage room: mounts below /rhev/data-center, and checks of access to them."""
