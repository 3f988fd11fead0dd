# SPDX-License-Identifier: GPL-2.0-or-later
"""A second host in the VM: the same tree and pair, booted by systemd-nspawn beside the first one.

Its processes, mounts, network and containers are its own: one systemd, one vdsm, one supervdsm, one
sanlock more. The kernel and the NFS server are the VM's. Its end can be a power cut.
"""

import subprocess

from machines import Machine

ADDRESS = "198.51.100.2"
FIRST = "198.51.100.1"
"""The VM's address on the cable between the two."""

UNIT = "second-host.service"
_PLACE = "/srv/second"
_LEADER = "/run/second-host.pid"
_EXPORT = "/run/systemd/nspawn/unix-export/second"
_IMAGES = "/var/lib/vdsm-images"

# What belongs to the VM as a machine, not to a host of its own.
_MASKED = (
    "nfs-server.service",
    "nfs-mountd.service",
    "rpcbind.service",
    "rpcbind.socket",
    "rpc-statd-notify.service",
    "ssh.service",
    "ssh.socket",
    "target.service",
    "testvm-eth0.service",
    "systemd-logind.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "console-getty.service",
    # Emulated, everything counts.
    "vdsm-lldpd.service",
)

_START = f"""
umask 022
mkdir -p {_PLACE}/upper/etc/systemd/system {_PLACE}/upper/etc/vdsm {_PLACE}/upper/etc/udev
mkdir -p {_PLACE}/work {_PLACE}/root {_PLACE}/containers
cd {_PLACE}/upper/etc
echo second > hostname
echo 127.0.0.1 localhost second > hosts
echo 5ec0d5ec0d5ec0d5ec0d5ec0d5ec0d50 > machine-id
echo 5ec0d5ec-0d5e-4c0d-95ec-0d5ec0d5ec0d > vdsm/vdsm.id
for unit in {" ".join(_MASKED)}; do ln -sfn /dev/null systemd/system/$unit; done
: > fstab
mount -t overlay -o lowerdir=/,upperdir={_PLACE}/upper,workdir={_PLACE}/work second {_PLACE}/root
ip netns add second
ip link add second0 type veth peer name eth0 netns second
ip address add {FIRST}/24 dev second0
ip link set second0 up
ip -n second address add {ADDRESS}/24 dev eth0
ip -n second link set eth0 up
ip -n second link set lo up
systemd-run --quiet --unit={UNIT} --property=Delegate=yes --property=KillMode=control-group \
    --setenv=SYSTEMD_SECCOMP=0 --setenv=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
    --setenv=SYSTEMD_NSPAWN_API_VFS_WRITABLE=network \
    systemd-nspawn --quiet --boot --register=no --keep-unit --capability=all --machine=second \
    --directory={_PLACE}/root --network-namespace-path=/run/netns/second --console=passive \
    --link-journal=no --resolv-conf=off --timezone=off --bind=/dev/fuse \
    --bind={_PLACE}/containers:/var/lib/containers --bind-ro={_IMAGES}
"""

_REMOVE = f"""
systemctl kill --signal=KILL {UNIT} 2>/dev/null || true
while systemctl is-active --quiet {UNIT}; do sleep 0.1; done
systemctl reset-failed {UNIT} 2>/dev/null || true
umount -l {_PLACE}/root 2>/dev/null || true
umount -l {_EXPORT} 2>/dev/null || true
rmdir {_EXPORT} 2>/dev/null || true
ip link delete second0 2>/dev/null || true
ip netns delete second 2>/dev/null || true
rm -rf {_PLACE}
"""


class SecondHost(Machine):
    """It, as tests use a machine: `run`, `sh`, `wait` and what is made of them. `tool` and `name`
    are the VM's."""

    @property
    def vm(self) -> Machine:
        """The VM that it is in."""
        return Machine(self.tool, self.name)

    def boot(self) -> None:
        """Start it and wait until its pair and its sanlock run."""
        self.remove()
        self.vm.sh(_START)
        self.vm.wait(
            f"pid=$(systemctl show -P MainPID {UNIT}); [ $pid != 0 ] && pgrep -P $pid -o >{_LEADER}"
        )
        for unit in ("supervdsm", "vdsm", "vdsm-sanlock"):
            # Not often: looking costs what the start needs.
            self.wait(f"systemctl is-active --quiet {unit}.service || ! sleep 3", timeout=600)

    def power_cut(self) -> None:
        """All of it ends at once."""
        self.vm.sh(f"systemctl kill --signal=KILL {UNIT}")
        self.vm.wait(f"! systemctl is-active --quiet {UNIT}")

    def remove(self) -> None:
        """Leave nothing of it."""
        self.vm.sh(_REMOVE)

    def run(
        self, *argv: str, timeout: float = 120, check: bool = True, stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, as root."""
        enter = f'exec nsenter --target "$(cat {_LEADER})" --all -- "$@"'
        words = ("sh", "-c", enter, "second", *argv)
        return self.vm.run(*words, timeout=timeout, check=check, stdin=stdin)
