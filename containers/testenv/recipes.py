# SPDX-License-Identifier: GPL-2.0-or-later
"""The trees: the test host's, the test VM's, and those that hold a program."""

from testenv import config
from testenv.tree import Recipe

# A disposable machine has nothing to update, scrub or trim; these would only disturb timings.
_MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "man-db.timer",
    "netavark-dhcp-proxy.service",
    "netavark-dhcp-proxy.socket",
    "podman-auto-update.timer",
    # Whoever configures a network here is the test, or the pair.
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "xfs_scrub_all.timer",
)

# No pids controller reaches the test host: podman's default limit would fail every container.
_CONTAINERS_CONF = "[containers]\npids_limit = 0\n"

_FILES = {
    "/etc/containers/containers.conf.d/50-testenv.conf": _CONTAINERS_CONF,
    "/etc/systemd/journald.conf.d/50-testenv.conf": "[Journal]\nStorage=persistent\n",
    "/etc/tmpfiles.d/50-testenv.conf": (f"d {config.STORE_IN_MACHINE} 0755 root root -\n"),
}


def host_recipe() -> Recipe:
    loops = "".join(
        f"b /dev/loop{number} 0660 root disk - 7:{number}\n"
        for number in range(config.LOOP_DEVICES)
    )
    return Recipe(
        name="testhost",
        packages=config.HOST_PACKAGES,
        about_seconds=55,
        files={**_FILES, "/etc/tmpfiles.d/51-testenv-loop.conf": loops},
        masked=(
            *_MASKED,
            "console-getty.service",
            # They would show this machine's kernel, writable.
            "sys-kernel-debug.mount",
            "sys-kernel-tracing.mount",
        ),
    )


# eth0 leads to QEMU's user network, which only forwards the two ports in and lets nothing out.
# The other NICs are the tests'.
_ETH0_UNIT = f"""\
[Unit]
Description=Address of the test VM on QEMU's user network
Before=network.target ssh.service
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address replace {config.ADDRESS}/{config.PREFIX_LENGTH} dev eth0
ExecStart=ip link set eth0 up
"""

# Root on virtio is all that the initial RAM disk must find (a full one costs 10 s here), and the
# NICs, so that nothing waits for udev to find them.
_INITRAMFS = {
    "/etc/initramfs-tools/conf.d/testenv": "MODULES=list\nCOMPRESS=zstd\n",
    "/usr/share/initramfs-tools/modules.d/testenv": "virtio_pci\nvirtio_blk\nvirtio_net\next4\n",
}

_SSHD = """\
PermitRootLogin prohibit-password
MaxSessions 100
MaxStartups 100
UseDNS no
"""


def vm_recipe(public_key: str) -> Recipe:
    return Recipe(
        name="testvm",
        packages=config.VM_PACKAGES,
        about_seconds=60,
        early_files=_INITRAMFS,
        files={
            **_FILES,
            "/etc/fstab": "LABEL=root / ext4 rw,noatime 0 0\n",
            "/etc/ssh/sshd_config.d/50-testenv.conf": _SSHD,
            "/etc/systemd/system/testvm-eth0.service": _ETH0_UNIT,
            # Emulated: everything takes ten times as long.
            "/etc/systemd/system.conf.d/50-testenv.conf": (
                "[Manager]\nDefaultTimeoutStartSec=300\nDefaultDeviceTimeoutSec=300\n"
            ),
            "/root/.ssh/authorized_keys": public_key + "\n",
        },
        masked=(
            *_MASKED,
            "getty@tty1.service",
            "lvm2-monitor.service",
            "serial-getty@ttyS0.service",
            # Restores what targetcli saved: nothing, and that takes it most of a minute here.
            "rtslib-fb-targetctl.service",
        ),
        enabled={"testvm-eth0.service": "multi-user.target"},
    )


def qemu_recipe() -> Recipe:
    return Recipe(name="qemu", packages=config.QEMU_PACKAGES, about_seconds=30)


def ifupdown2_recipe() -> Recipe:
    """What containers/bench compares changes of networks with; never booted."""
    return Recipe(name="ifupdown2", packages=("ethtool", "ifupdown2", "iproute2"), about_seconds=35)
