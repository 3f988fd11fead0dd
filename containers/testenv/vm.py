# SPDX-License-Identifier: GPL-2.0-or-later
"""The test VM: a whole machine with a kernel of its own, emulated by QEMU, reached by ssh.

Slow (no hardware acceleration is assumed) but complete: VLAN, bond, NFS, iSCSI, LVM, multipath.
QEMU runs in the VM's peer namespace; its forwarded ports are there, at the same address as a test
host's: 192.0.2.2.
"""

import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from testenv import config, qemu
from testenv.commands import in_session, run
from testenv.disks import images_disk, ssh_key, system_disk
from testenv.machine import Machine
from testenv.report import Failed, progress, step

# $1 cgroup; the rest is run in it.
_JOIN = 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"'

_ATTEMPT_LIMIT = 120.0
_NOT_CONNECTED = 255
"""ssh's own exit status when it got no session."""

_ATTEMPTS = 3
_CRASH = re.compile(r"^qemu-system-\w+: .*Assertion .* failed", re.MULTILINE)
"""QEMU's last words when it, and not what runs in it, fails. Emulation with a thread for each
processor does so now and then in the first second of a boot (iotlb_to_section)."""


class _Crashed(Failed):
    """QEMU itself failed."""


class TestVm(Machine):
    kind = "vm"
    command = "containers/testvm"
    title = "test VM"
    deploy_limit = config.VM_DEPLOY_LIMIT
    poweroff_limit = config.VM_POWEROFF_LIMIT

    @property
    def console_log(self) -> Path:
        return self.directory / qemu.CONSOLE

    def create(self) -> None:
        system = system_disk()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.base.symlink_to(system)
        self._prepare()
        run(*qemu.in_tree(self.cgroup, self.peer, self.directory, qemu.create_disk(system)))
        self.mark_created()

    def _prepare(self) -> None:
        self.cgroup.renew()
        self.peer.create()
        # QEMU listens at the VM's address. Who connects must do so from another one, as the VM
        # takes no packet that comes from its own.
        for address in (config.ADDRESS, config.PEER_ADDRESS):
            self.peer.ip("address", "replace", f"{address}/32", "dev", "lo")
        route = ["local", config.ADDRESS, "dev", "lo", "table", "local", "src", config.PEER_ADDRESS]
        self.peer.ip("route", "replace", *route, "proto", "kernel", "scope", "host")

    def boot(self) -> None:
        store = self.attach_images()
        images = None if store is None else images_disk(store)
        self._prepare()
        self.console_log.unlink(missing_ok=True)
        command = qemu.boot(
            self.base.resolve(strict=True), images, f"testvm-{self.name}", self.machine_id()
        )
        with (
            step(f"booting {self.title} {self.name} (about 30 s)"),
            self.console_shown_on_failure(),
        ):
            for attempt in range(1, _ATTEMPTS + 1):
                process = in_session(
                    qemu.in_tree(self.cgroup, self.peer, self.directory, command),
                    self.directory / "qemu.log",
                )
                try:
                    self._wait_until_booted(process)
                except _Crashed as crash:
                    if attempt == _ATTEMPTS:
                        raise
                    progress(f"  {crash}; booting it again")
                else:
                    break
            run("sh", "-c", _JOIN, "testvm", self.cgroup.path, *self._ssh("-M", "-N", "-f"))

    def _wait_until_booted(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + config.VM_BOOT_LIMIT
        while True:
            state = self.run(
                "systemctl", "is-system-running", "--wait", check=False, limit=_ATTEMPT_LIMIT
            )
            answer = state.stdout.decode().strip()
            if answer in ("running", "degraded"):
                break
            if process.poll() is not None:
                words = (self.directory / "qemu.log").read_text(errors="replace")
                failure = _Crashed if _CRASH.search("\n".join(words.splitlines()[-3:])) else Failed
                raise failure(f"{self.title} {self.name} ended while it booted", details=words)
            if time.monotonic() > deadline:
                reason = answer or state.stderr.decode(errors="replace").strip()
                raise Failed(f"{self.title} {self.name} does not finish booting: {reason}")
            time.sleep(0.5 if state.returncode == _NOT_CONNECTED else 0.1)
        if answer == "degraded":
            self.warn_if_degraded()

    def remove_network(self) -> None:
        self.peer.remove()

    def _ssh(self, *options: str) -> list[str]:
        """Return an ssh command to it; nothing of the caller's ssh configuration is used.

        Sessions share the connection that `boot` leaves open. After a reboot from inside there is
        none, and each makes its own.
        """
        settings = {
            "ControlPath": str(self.directory / "ssh.sock"),
            "IdentityFile": str(ssh_key()),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            # Host keys are made with the disk; the connection never leaves the namespace.
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "20",
            # On a busy machine, QEMU may do nothing for the network for so long.
            "ConnectionAttempts": "4",
            "ServerAliveInterval": "10",
            "ServerAliveCountMax": "6",
            # The cheapest for an emulated processor.
            "KexAlgorithms": "curve25519-sha256",
            "Ciphers": "chacha20-poly1305@openssh.com,aes128-ctr",
        }
        given = [f"-o{key}={value}" for key, value in settings.items()]
        target = ["-p", str(config.SSH_PORT), *options, f"root@{config.ADDRESS}"]
        return [*self.peer.enter(), "ssh", "-F", "none", *given, *target]

    def enter(self, argv: Sequence[str]) -> list[str]:
        # ssh gives one string to a shell over there.
        return [*self._ssh(), "--", shlex.join(["env", "LANG=C.UTF-8", *argv])]

    def shell(self) -> list[str]:
        return self._ssh("-t")
