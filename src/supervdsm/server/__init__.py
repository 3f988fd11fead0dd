# SPDX-License-Identifier: GPL-2.0-or-later
"""The door of supervdsm: who may come in, what may be asked, and what is written down of it."""
