# SPDX-License-Identifier: GPL-2.0-or-later
"""What an argument may be. Every room may use these checks; they know no room and change nothing.

A check either returns what it accepted or raises InvalidArgument with the argument's name on the
wire.
"""
