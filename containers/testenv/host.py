# SPDX-License-Identifier: GPL-2.0-or-later
"""The test host: a Debian tree of its own, booted by systemd-nspawn on this kernel.

Its root is an overlay on the cached tree, mounted only in a mount namespace that lives as long as
the host does. Its processes are in one cgroup, its network is a namespace with ``eth0`` on a cable
to the peer namespace.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from testenv import config, loop, netns
from testenv.commands import in_session
from testenv.machine import Machine
from testenv.netns import NetworkNamespace
from testenv.recipes import host_recipe
from testenv.report import Failed, step
from testenv.tree import tree, write_files

# Joins the cgroup before it starts anything, so that nothing can be left behind, and mounts in a
# namespace that no other process sees. $1 cgroup, $2 overlay options, $3 root; the rest is run.
_START = """\
set -eu
echo $$ > "$1/cgroup.procs"
mount -t overlay -o "$2" vdsm-testhost "$3"
shift 3
exec "$@"
"""

# $1 cgroup; the rest is run in it.
_JOIN = 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"'

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TestHost(Machine):
    kind = "host"
    command = "containers/testhost"
    title = "test host"
    deploy_limit = config.DEPLOY_LIMIT
    poweroff_limit = config.POWEROFF_LIMIT

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.network = NetworkNamespace(f"vdsm-testhost.{name}")

    @property
    def address(self) -> str:
        return config.ADDRESS

    @property
    def console_log(self) -> Path:
        return self.directory / "console.log"

    def create(self) -> None:
        lower = tree(host_recipe())
        for part in ("upper", "work", "root", "containers"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        self.base.symlink_to(lower)
        hostname = f"testhost-{self.name}"
        write_files(
            self.directory / "upper",
            {
                "/etc/hostname": f"{hostname}\n",
                "/etc/hosts": f"127.0.0.1 localhost\n{self.address} {hostname}\n",
                "/etc/machine-id": f"{self.machine_id()}\n",
            },
        )
        self.mark_created()

    def boot(self) -> None:
        images = self.attach_images()
        self.cgroup.renew()
        netns.connect(self.network, self.peer)
        self.console_log.unlink(missing_ok=True)
        with step(f"booting {self.title} {self.name} (about 2 s)"), self.console_shown_on_failure():
            process = in_session(self._start_command(images), self.console_log)
            deadline = time.monotonic() + config.BOOT_LIMIT
            while self._leader() is None:
                if process.poll() is not None:
                    raise Failed(f"{self.title} {self.name} ended while it booted")
                if time.monotonic() > deadline:
                    raise Failed(f"{self.title} {self.name} has no init after a while")
                time.sleep(0.02)
            self._wait_until_booted(deadline)

    def _wait_until_booted(self, deadline: float) -> None:
        """Wait for systemd: first for its bus, which no event announces, then for its jobs."""
        while True:
            state = self.run(
                "systemctl", "is-system-running", "--wait", check=False, limit=config.BOOT_LIMIT
            )
            answer = state.stdout.decode().strip()
            if answer in ("running", "degraded"):
                break
            if not self.running() or time.monotonic() > deadline:
                raise Failed(f"{self.title} {self.name} does not finish booting: {answer}")
            time.sleep(0.05)
        if answer == "degraded":
            self.warn_if_degraded()

    def _start_command(self, images: Path | None) -> list[str]:
        here = self.directory
        overlay = f"lowerdir={self.base},upperdir={here / 'upper'},workdir={here / 'work'}"
        start = ["unshare", "--mount", "--propagation", "private"]
        start += ["sh", "-c", _START, "testhost", str(self.cgroup.path), overlay]
        start += [str(here / "root")]
        # Of /proc/sys only net is writable: the rest is this machine's.
        start += ["env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "SYSTEMD_SECCOMP=0"]
        start += ["SYSTEMD_NSPAWN_API_VFS_WRITABLE=network"]
        start += ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"]
        start += ["--capability=all", f"--machine=testhost-{self.name}"]
        start += [f"--directory={here / 'root'}", f"--uuid={self.machine_id()}"]
        start += [f"--network-namespace-path={self.network.path}"]
        start += ["--console=passive", "--link-journal=no", "--resolv-conf=off", "--timezone=off"]
        start += ["--bind=/dev/fuse", "--bind=/dev/loop-control"]
        # Podman's overlay driver cannot have its upper directories on an overlay.
        start += [f"--bind={here / 'containers'}:/var/lib/containers"]
        if images is not None:
            start += [f"--bind-ro={images}:{config.STORE_IN_MACHINE}"]
        # systemd-nspawn (252) may leave the console unread: a shutdown tells there of each unit,
        # and would wait for ever.
        return [*start, "--", "--show-status=no"]

    def power_cut(self) -> None:
        """SIGKILL its init: the kernel then ends everything else in it at once."""
        leader = self._leader()
        devices = [] if leader is None else loop.devices_of(leader)
        self.cgroup.kill()
        loop.detach(devices)

    def power_off(self) -> None:
        leader = self._leader()
        devices = [] if leader is None else loop.devices_of(leader)
        super().power_off()
        loop.detach(devices)

    def remove_network(self) -> None:
        self.network.remove()
        self.peer.remove()

    def remove(self) -> None:
        self.power_cut()
        super().remove()

    def _leader(self) -> int | None:
        """Return the pid of its init here: the only one in init.scope that is 1 in there."""
        depth = len(_namespace_pids(os.getpid())) + 1
        for pid in self.cgroup.pids("payload/init.scope"):
            inner = _namespace_pids(pid)
            if len(inner) == depth and inner[-1] == 1:
                return pid
        return None

    def enter(self, argv: Sequence[str]) -> list[str]:
        leader = self._leader()
        if leader is None:
            self.require_running()
            raise Failed(f"{self.title} {self.name} has no init yet")
        environment = [f"PATH={_PATH}", "HOME=/root", "LANG=C.UTF-8"]
        if "TERM" in os.environ:
            environment.append(f"TERM={os.environ['TERM']}")
        # When the caller is killed, so is the command, even with SIGKILL.
        inside = ["env", "-i", *environment, "setpriv", "--pdeathsig", "KILL", *argv]
        scope = self.cgroup.path / "payload/init.scope"
        # Its root explicitly: it differs from its namespace's when we run in a chroot.
        entered = ["nsenter", f"--target={leader}", "--all", "--root", "--wd", "--", *inside]
        return ["sh", "-c", _JOIN, "testhost", str(scope), *entered]

    def shell(self) -> list[str]:
        return self.enter(["bash", "--login"])


def _namespace_pids(pid: int) -> list[int]:
    """Return what `pid` is called in its pid namespaces, outermost first."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    return [int(field) for field in line.split()[1:]]
