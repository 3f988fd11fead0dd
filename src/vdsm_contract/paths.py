# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths, ids and ports that both sides must agree on, each named once."""

from pathlib import Path
from typing import Final

RUN_DIR: Final = Path("/run/vdsm")
"""The directory of the shared volume `vdsm-run`."""

SUPERVDSM_SOCKET: Final = RUN_DIR / "svdsm.sock"
"""supervdsm's varlink socket; systemd's `supervdsm.socket` listens on it."""

PREPARED_DIR: Final = RUN_DIR / "storage"
"""Links of prepared images: /run/vdsm/storage/<domain>/<image> -> the image's directory. vdsm's, in
a directory that is not."""

DATA_CENTER: Final = Path("/rhev/data-center")
"""The only tree that storage may be mounted below."""

MOUNT_DIR: Final = DATA_CENTER / "mnt"
"""Where oVirt mounts storage servers: one directory for each connection."""

PKI_DIR: Final = Path("/etc/pki/vdsm")
CONFIG_DIR: Final = Path("/etc/vdsm")

STATE_DIR: Final = Path("/var/lib/vdsm")
"""oVirt's directory of state; networks are kept below `staging` and `persistence`."""

NETWORK_JOURNAL: Final = STATE_DIR / "supervdsm/network.journal"
"""supervdsm's record of the network change that is under way, in a directory that is root's alone;
there is none while there is no change."""

HOST_ROOT: Final = Path("/host")
"""The host's root tree inside supervdsm's container (rslave)."""

VDSM_UID: Final = 36
KVM_GID: Final = 36
QEMU_UID: Final = 107
SANLOCK_UID: Final = 179

MANAGEMENT_PORT: Final = 54321
"""TCP port of vdsm (STOMP over TLS)."""

VDSM_CGROUP: Final = "/system.slice/vdsm.service"
"""The control group that a peer with vdsm's uid must be in."""
