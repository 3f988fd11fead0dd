# SPDX-License-Identifier: GPL-2.0-or-later
"""Mixed calls to a pair in a test host while parts of it are killed: docs/chaos.md."""
