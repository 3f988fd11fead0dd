# SPDX-License-Identifier: GPL-2.0-or-later
"""A host and a DHCP server in network namespaces of their own, joined by two cables.

The clients are the real dhcpcd, started by our own program and with our own hook, but not by
systemd: `Launcher` is what the units are on a host. Each runs in namespaces of its own: of mounts,
where it finds the directories of this site at their usual places and this machine's /etc is
read-only; and of pids, so that all of it ends with its first process.
"""

import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from process.supervdsm.network.inside import Call, inside
from process.supervdsm.network.namespace import SOURCES, Namespace, run
from supervdsm.network.services.dhcp import DhcpClients
from supervdsm.network.services.leases import Leases
from supervdsm.network.services.wishes import Wishes
from vdsm_contract.errors import ServiceFailed

SECONDS: Final = 30
"""What any one thing may take."""

_SERVER: Final = """\
port=0
no-resolv
no-ping
user=root
bind-interfaces
interface=far0
interface=far1
dhcp-authoritative
dhcp-range=192.0.2.10,192.0.2.20,2m
dhcp-range=198.51.100.10,198.51.100.20,2m
dhcp-range=2001:db8:0::100,2001:db8:0::1ff,64,2m
dhcp-range=2001:db8:1::100,2001:db8:1::1ff,slaac,64,2m
enable-ra
dhcp-option=option:dns-server,192.0.2.53
dhcp-option=option6:dns-server,[2001:db8::53]
dhcp-option=option:domain-name,example.org
dhcp-option=option:classless-static-route,203.0.113.0/24,192.0.2.99,0.0.0.0/0,192.0.2.1
log-dhcp
"""

_CLIENT: Final = """
set -eu
mount --bind /etc /etc
mount -o remount,bind,ro /etc
mount --bind "$1/state" /var/lib/dhcpcd
mount -t tmpfs tmpfs /run
mkdir -p /run/vdsm/dhcp /run/vdsm/leases
mount --bind "$1/wishes" /run/vdsm/dhcp
mount --bind "$1/leases" /run/vdsm/leases
exec "$2" -I "$1/client" "$3"
"""

_PROGRAM: Final = """\
#!{python} -I
import sys
from pathlib import Path
sys.path[:0] = [{sources!r}, *{path!r}]
from supervdsm.network.services import {module}
{before}
sys.exit({module}.main())
"""


@dataclass
class Client:
    """A client: `process` is its parent, outside of its pid namespace."""

    process: "subprocess.Popen[bytes]"

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to dhcpcd."""
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), number)

    def end(self, number: int) -> None:
        """Send a signal until it has ended: dhcpcd 9 forgets one that comes while its hook runs."""
        end = time.monotonic() + SECONDS
        while self.runs:
            assert time.monotonic() < end
            self.kill(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)


@dataclass
class Launcher:
    """What systemd is on a host, but that it does not restart what died."""

    namespace: str
    directory: Path
    clients: dict[str, Client] = field(default_factory=dict)

    def restart(self, instance: str) -> None:
        if instance in self.started():
            self.stop(instance)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = self.directory / f"{instance}.notify"
            path.unlink(missing_ok=True)
            notify.bind(str(path))
            client = self.clients[instance] = Client(self._spawn(instance, path))
            while not select.select([notify], [], [], 0.05)[0]:
                status = client.process.poll()
                if status is not None:
                    raise ServiceFailed(unit=instance, reason=f"ended with {status}\n{self.log()}")
            assert notify.recv(100) == b"READY=1"

    def stop(self, instance: str) -> None:
        client = self.clients.pop(instance, None)
        if client is not None:
            wanted = (self.directory / "wishes" / f"{instance}.json").exists()
            client.end(signal.SIGTERM if wanted else signal.SIGALRM)

    def started(self) -> list[str]:
        return [name for name, one in self.clients.items() if one.runs]

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def _spawn(self, instance: str, notify: Path) -> "subprocess.Popen[bytes]":
        command = ["ip", "netns", "exec", self.namespace, "unshare", "--pid", "--kill-child"]
        command += ["--mount", "--propagation", "private", "sh", "-c", _CLIENT, "client"]
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, str(self.directory), sys.executable, instance],
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(notify)},
                stdout=log,
                stderr=log,
            )


@dataclass
class Site:
    """`nic0` and `nic1` of the host lead to the server's `far0` and `far1`."""

    host: Namespace
    server: str
    call: Call
    launcher: Launcher
    clients: DhcpClients
    wishes: Wishes
    leases: Leases
    server_log: Path

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; fail with what the clients and the server said."""
        end = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{self.launcher.log()}\n{self.server_log.read_text()}")
            time.sleep(0.05)

    def addresses(self, device: str, version: int = 4) -> list[str]:
        """Return a device's leased addresses, as `ip` tells them."""
        (found,) = self.host.ip_json(f"-{version} addr show dev {device} scope global") or [{}]
        return [
            f"{one['local']}/{one['prefixlen']}"
            for one in found.get("addr_info", ())
            if one.get("dynamic")
        ]

    def said(self, word: str) -> int:
        """Return how often a word is in the server's log."""
        return self.server_log.read_text().count(word)


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """Build it, and take it away with all that runs in it."""
    name = secrets.token_hex(4)
    host, server = f"vt-host-{name}", f"vt-server-{name}"
    for part in ("state", "wishes", "leases", "root/etc"):
        (directory / part).mkdir(parents=True)
    (directory / "root/etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    _write_programs(directory)
    launcher = Launcher(host, directory)
    wishes, leases = Wishes(directory / "wishes"), Leases(directory / "leases")
    for namespace in (host, server):
        run("ip", "netns", "add", namespace)
    try:
        _cables(host, server)
        with _dnsmasq(server, directory) as log, inside(host) as call:
            clients = DhcpClients(
                launcher, wishes, leases, state=directory / "state", host_root=directory / "root"
            )
            space = Namespace(host, directory / "root", directory)
            try:
                yield Site(space, server, call, launcher, clients, wishes, leases, log)
            finally:
                for client in launcher.clients.values():
                    client.end(signal.SIGKILL)
    finally:
        for namespace in (host, server):
            run("ip", "netns", "del", namespace)


def _write_programs(directory: Path) -> None:
    hook = directory / "hook"
    programs = {
        directory / "client": ("dhcp_client", f"dhcp_client.HOOK = Path({str(hook)!r})"),
        hook: ("dhcp_hook", ""),
    }
    path = [entry for entry in sys.path if "site-packages" in entry]
    for target, (module, before) in programs.items():
        target.write_text(
            _PROGRAM.format(
                python=sys.executable, sources=str(SOURCES), path=path, module=module, before=before
            )
        )
        target.chmod(0o755)


def _cables(host: str, server: str) -> None:
    lines = ["link set lo up"]
    for number in (0, 1):
        lines.append(f"link add nic{number} type veth peer name far{number} netns {server}")
        lines.append(f"link set nic{number} up")
    run("ip", "-n", host, "-batch", "-", text="\n".join(lines))
    run(
        "ip", "-n", server, "-batch", "-",
        text="link set lo up\nlink set far0 up\nlink set far1 up\n"
        "addr add 192.0.2.1/24 dev far0\naddr add 198.51.100.1/24 dev far1\n"
        "addr add 2001:db8:0::1/64 dev far0 nodad\naddr add 2001:db8:1::1/64 dev far1 nodad\n",
    )  # fmt: skip


@contextmanager
def _dnsmasq(namespace: str, directory: Path) -> Iterator[Path]:
    configuration, log = directory / "dnsmasq.conf", directory / "dnsmasq.log"
    leases = directory / "dnsmasq.leases"
    configuration.write_text(f"{_SERVER}dhcp-leasefile={leases}\nlog-facility={log}\npid-file=\n")
    command = ["ip", "netns", "exec", namespace, "dnsmasq", "--keep-in-foreground"]
    process = subprocess.Popen([*command, f"--conf-file={configuration}"])
    try:
        end = time.monotonic() + SECONDS
        while not (log.exists() and "started" in log.read_text()):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        yield log
    finally:
        process.kill()
        process.wait()
