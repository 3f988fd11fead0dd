# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m supervdsm`."""

from supervdsm.main import console

console()
