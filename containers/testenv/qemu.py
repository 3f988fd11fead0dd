# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU, from a tree of its own (Debian 12's own is too old for this guest kernel).

It runs in a chroot on that tree, in a mount namespace where ``/mnt`` is the VM's directory and
``/srv`` the cached disks, and in a network namespace, so that its forwarded ports are seen
only there.
"""

from ipaddress import ip_interface
from pathlib import Path
from typing import Final
from uuid import UUID

from testenv import config
from testenv.cgroup import Cgroup
from testenv.disks import DISKS, IMAGES_LABEL
from testenv.netns import NetworkNamespace
from testenv.recipes import qemu_recipe
from testenv.tree import tree

DISK = "/mnt/disk.qcow2"
CONSOLE = "console.log"
MONITOR = "qmp.sock"
"""QEMU's own control socket (QMP), for tests that pull a cable: set_link."""

_SEGMENTS: Final = {1: 1, 2: 2, 3: 1, 4: 2}
"""The tests' NICs, eth1 to eth4, and what each is plugged into."""

# $1 cgroup, $2 tree, $3 the VM's directory, $4 the disks; the rest is run.
_START = """\
set -eu
echo $$ > "$1/cgroup.procs"
mount --bind /dev "$2/dev"
mount --bind "$3" "$2/mnt"
mount --bind "$4" "$2/srv"
tree=$2
shift 4
exec chroot "$tree" "$@"
"""


def in_tree(
    cgroup: Cgroup, network: NetworkNamespace, directory: Path, argv: list[str]
) -> list[str]:
    """Return the command that runs one of QEMU's programs for the VM in `directory`."""
    inside = ["sh", "-c", _START, "testvm", cgroup.path, tree(qemu_recipe()), directory, DISKS]
    outside = [*network.enter(), "unshare", "--mount", "--propagation", "private"]
    return [*outside, *map(str, inside), *argv]


def create_disk(system: Path) -> list[str]:
    """Return the command that makes a VM's disk: what differs from the cached one."""
    backing = f"/srv/{system.name}/root.raw"
    return ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", backing, DISK]


def boot(system: Path, images: Path | None, hostname: str, machine_id: str) -> list[str]:
    """Return QEMU's command line."""
    kernel = [
        "root=/dev/vda",
        "rw",
        "console=ttyS0",
        "net.ifnames=0",
        "mitigations=off",
        "audit=0",
        "loglevel=5",
        "systemd.ssh_auto=no",
        f"systemd.hostname={hostname}",
        f"systemd.machine_id={machine_id}",
    ]
    if images is not None:
        where = f"LABEL={IMAGES_LABEL}:{config.STORE_IN_MACHINE}:ext4:ro"
        kernel.append(f"systemd.mount-extra={where}")
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
    command += ["-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "Nehalem"]
    command += ["-smp", str(config.VM_CPUS), "-m", str(config.VM_MEMORY_MIB)]
    # What firmware tells of a machine: vdsm takes the host's id from it.
    command += ["-uuid", str(UUID(machine_id)), "-smbios", f"type=1,serial={hostname}"]
    command += ["-kernel", f"/srv/{system.name}/vmlinuz", "-initrd", f"/srv/{system.name}/initrd"]
    command += ["-append", " ".join(kernel)]
    command += ["-serial", f"file:/mnt/{CONSOLE}"]
    command += ["-qmp", f"unix:/mnt/{MONITOR},server=on,wait=off"]
    command += ["-device", "virtio-rng-pci"]
    command += ["-drive", f"file={DISK},if=virtio,cache=writeback"]
    if images is not None:
        command += ["-drive", f"file=/srv/{images.name},format=raw,if=virtio,readonly=on"]
    return command + _networks()


def _addresses() -> str:
    """Return the addresses of QEMU's user network: as on a test host's cable."""
    network = ip_interface(f"{config.PEER_ADDRESS}/{config.PREFIX_LENGTH}").network
    unused = network.broadcast_address - 1
    return f"net={network},host={config.PEER_ADDRESS},dns={unused},dhcpstart={config.ADDRESS}"


def _networks() -> list[str]:
    """eth0: QEMU's user network with two ports forwarded in and no way out.

    eth1 and eth2 are the tests' own, for bonds and bridges: each on a segment that leads nowhere,
    but for eth3, which is on eth1's segment, and eth4, which is on eth2's, so that a test can be
    their other ends. NETDEV of `set_link` is net1 for eth1. They say that they are full duplex with
    1 Gbit/s: without a speed, LACP does not take them.
    """
    ports = ((config.SSH_PORT, 22), (config.VDSM_PORT, config.VDSM_PORT))
    forwards = ",".join(
        f"hostfwd=tcp:{config.ADDRESS}:{outside}-{config.ADDRESS}:{inside}"
        for outside, inside in ports
    )
    options = ["-netdev", f"user,id=net0,restrict=on,ipv6=off,{_addresses()},{forwards}"]
    for number, segment in _SEGMENTS.items():
        options += ["-netdev", f"hubport,id=net{number},hubid={segment}"]
    for number in (0, *_SEGMENTS):
        mac = f"52:54:00:12:34:{number:02x}"
        card = f"virtio-net-pci,netdev=net{number},mac={mac},speed=1000,duplex=full"
        options += ["-device", card]
    # Not a cable, but a device that can have virtual functions (SR-IOV); Debian's kernel for clouds
    # has no driver for it.
    return [*options, "-device", "pcie-root-port,id=sriov", "-device", "igb,bus=sriov"]
