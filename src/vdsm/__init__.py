# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm: the unprivileged side. Serves oVirt's API and asks supervdsm for what needs root."""
