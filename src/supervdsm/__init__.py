# SPDX-License-Identifier: GPL-2.0-or-later
"""The half of the pair that has privilege: a table of narrow verbs behind a varlink socket."""
