# SPDX-License-Identifier: GPL-2.0-or-later
"""What `vdsm-tool net` shows and does: networks as a tree, plans, restoring."""
