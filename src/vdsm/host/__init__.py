# SPDX-License-Identifier: GPL-2.0-or-later
"""What vdsm can see of its host by itself, without privilege."""
