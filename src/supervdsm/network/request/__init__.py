# SPDX-License-Identifier: GPL-2.0-or-later
"""From a caller's JSON to a checked change of the configuration. No I/O."""
