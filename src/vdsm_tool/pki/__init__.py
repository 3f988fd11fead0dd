# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates of a host without an engine: who signs, what is signed, where the files are."""
