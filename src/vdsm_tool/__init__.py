# SPDX-License-Identifier: GPL-2.0-or-later
"""The operator's command, `vdsm-tool`: a client of the pair, podman and systemd."""
