# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks: what goes on, what is kept of it on the master domain, and what one may work on."""
