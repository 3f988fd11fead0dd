# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients do meanwhile: one module for each kind of calls."""
