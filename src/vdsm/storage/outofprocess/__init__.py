# SPDX-License-Identifier: GPL-2.0-or-later
"""Access to slow storage, in worker processes that can be abandoned when the kernel holds them."""
