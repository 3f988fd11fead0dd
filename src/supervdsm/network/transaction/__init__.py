# SPDX-License-Identifier: GPL-2.0-or-later
"""All or nothing: journal, store, confirmation, recovery, restore at boot."""
