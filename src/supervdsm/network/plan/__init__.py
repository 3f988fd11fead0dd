# SPDX-License-Identifier: GPL-2.0-or-later
"""The state that a configuration asks for, and the operations that lead there. No I/O."""
