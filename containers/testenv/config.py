# SPDX-License-Identifier: GPL-2.0-or-later
"""What the disposable machines are made of: paths, sizes, addresses, packages. Named only here."""

import os
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]

CACHE: Final = Path(os.environ.get("VDSM_TESTENV_CACHE", "/var/cache/vdsm-testenv"))
"""Trees, disks and images; shared by all machines, safe to delete while none runs."""

STATE: Final = Path(os.environ.get("VDSM_TESTENV_STATE", "/var/lib/vdsm-testenv"))
"""One directory per machine, ``KIND/NAME``: gone after ``down``."""

STORE: Final = CACHE / "store"
"""Link to the pair's images, made by ``containers/images`` (containers-storage, overlay)."""

STORE_IN_MACHINE: Final = "/var/lib/vdsm-images"
SOURCE_IN_MACHINE: Final = "/opt/vdsm-pair"
"""Where ``up`` puts ``quadlet/`` and ``containers/install`` to install the pair from."""

UNITS: Final = ("supervdsm.service", "vdsm.service")

SUITE: Final = "trixie"
SUITE_NAME: Final = "Debian 13"

# The same addresses on every host: each has network namespaces of its own.
ADDRESS: Final = "192.0.2.2"
PEER_ADDRESS: Final = "192.0.2.1"
PREFIX_LENGTH: Final = 24
SSH_PORT: Final = 2222
VDSM_PORT: Final = 54321

LOOP_DEVICES: Final = 32
"""Loop device nodes in a test host; the kernel hands out the lowest free number."""

# Seconds. Generous: another build may be using the same two cores.
BOOT_LIMIT: Final = 120.0
VM_BOOT_LIMIT: Final = 600.0
POWEROFF_LIMIT: Final = 60.0
VM_POWEROFF_LIMIT: Final = 120.0
DEPLOY_LIMIT: Final = 120.0
VM_DEPLOY_LIMIT: Final = 600.0

VM_CPUS: Final = 2
VM_MEMORY_MIB: Final = 3072
VM_DISK_GIB: Final = 8

HOST_PACKAGES: Final = (
    "ca-certificates",
    "conmon",
    "crun",
    "dbus",
    "dnsmasq-base",
    "e2fsprogs",
    "ethtool",
    "iproute2",
    "kmod",
    "less",
    "nftables",
    "podman",
    "procps",
    "python3",
    "systemd",
    "systemd-sysv",
    "udev",
    "util-linux",
    "util-linux-extra",
    "xfsprogs",
)

VM_PACKAGES: Final = (
    *HOST_PACKAGES,
    "initramfs-tools",
    "iputils-ping",
    "linux-image-cloud-amd64",
    "lvm2",
    "nfs-common",
    "nfs-kernel-server",
    "openssh-server",
    "systemd-container",
    "targetcli-fb",
    "zstd",
)

QEMU_PACKAGES: Final = ("qemu-system-x86", "qemu-utils", "seabios")
