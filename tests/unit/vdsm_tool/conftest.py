# SPDX-License-Identifier: GPL-2.0-or-later
"""A host made of files: the tree and the procfs that the checks read."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:22 / /sys rw shared:2 - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw shared:3 - cgroup2 cgroup2 rw
"""

FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nvdsm:x:36:36::/var/lib/vdsm:/sbin/nologin\n",
    "etc/group": "root:x:0:\nkvm:x:36:qemu\n",
    "usr/lib/systemd/system-generators/podman-system-generator": "",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "lib/modules/6.12.1/modules.builtin": "kernel/fs/overlayfs/overlay.ko\n",
    "lib/modules/6.12.1/modules.dep": (
        "kernel/net/bridge/bridge.ko.xz: kernel/net/802/stp.ko.xz\n"
        "kernel/net/8021q/8021q.ko.xz:\n"
        "kernel/drivers/net/bonding/bonding.ko:\n"
        "kernel/fs/nfs/nfs.ko.zst: kernel/net/sunrpc/sunrpc.ko.zst\n"
    ),
    "proc/1/comm": "systemd\n",
    "proc/1/mountinfo": MOUNTINFO,
    "proc/sys/kernel/osrelease": "6.12.1\n",
    "proc/filesystems": "nodev\tproc\n\text4\n",
}

ANSWERS = {
    "systemctl --version": "systemd 257 (257.8-1)\n+PAM +AUDIT\n",
    "podman version --format json": '{"Client": {"Version": "5.4.2"}}',
}


@pytest.fixture
def answers() -> dict[str, str]:
    return dict(ANSWERS)


@pytest.fixture
def host(tmp_path: Path, answers: dict[str, str]) -> Host:
    """A host that is fit, of which a test spoils one thing."""
    for name, text in FILES.items():
        path: Path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(command: Sequence[str]) -> str:
        try:
            return answers[" ".join(command)]
        except KeyError:
            raise ToolError(f"There is no {command[0]} here") from None

    return Host(tmp_path, tmp_path / "proc", run)
