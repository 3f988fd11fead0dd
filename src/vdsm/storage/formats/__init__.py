# SPDX-License-Identifier: GPL-2.0-or-later
"""oVirt's formats on the storage: bytes to values and back. Pure; nothing here opens a file."""
