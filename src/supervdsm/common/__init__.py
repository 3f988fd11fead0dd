# SPDX-License-Identifier: GPL-2.0-or-later
"""What every room may use: the call that is being served, and child processes within its limit."""
