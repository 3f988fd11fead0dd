# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage jobs that any host of the pool does, not only its SPM: copies, merges, bitmaps."""
