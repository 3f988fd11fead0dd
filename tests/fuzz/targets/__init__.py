# SPDX-License-Identifier: GPL-2.0-or-later
"""One module for each reader: `run(data)`, and `seeds()` by name."""
