# SPDX-License-Identifier: GPL-2.0-or-later
"""The test host made ready for chaos, and the agent in it."""

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chaos.load.client import Place
from chaos.load.mounts import DIRECTORIES
from machines import SERVES, Machine
from vdsm.jsonrpc.tls import Identity, client_context

ADDRESS: Final = "192.0.2.2"
HERE: Final = Path(__file__).parent
STATE_DIR: Final = "/var/lib/vdsm"
DOMAIN_DIR: Final = "/srv/chaos-domain"
DHCP_NIC: Final = "veth_dhcp"
DHCP_UNIT: Final = f"vdsm-dhcp@{DHCP_NIC}"
_STATE_MIB, _DOMAIN_MIB = 48, 256

_UNIT: Final = """\
[Unit]
Description=What the chaos tests need of this host
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service
Before=network-pre.target supervdsm.socket supervdsm.service vdsm.socket vdsm.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /opt/chaos/lab.sh
[Install]
WantedBy=multi-user.target
"""


class AgentError(AssertionError):
    """The agent could not do what it was asked for, or is gone."""


class Agent:
    """The program in the test host. It is started by the first request, and after a boot again."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, do: str, **arguments: Any) -> Any:
        """Call one of its functions. Raises AgentError."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._machine.start("python3", "-u", "/opt/chaos/agent.py")
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None
            assert stdout is not None
            try:
                stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
                stdin.flush()
                line = stdout.readline()
            except OSError as error:
                raise AgentError(f"{do}: {error}") from None
        if not line:
            raise AgentError(f"{do}: the agent ended")
        answer = json.loads(line)
        if "error" in answer:
            raise AgentError(f"{do}: {answer['error']}")
        return answer["result"]

    def run(self, *argv: str, timeout: float = 60.0) -> str:
        """Run a command in the host. Raises AgentError."""
        return str(self.ask("run", argv=list(argv), timeout=timeout))

    def close(self) -> None:
        if self._process is not None:
            with suppress(OSError):
                self._process.communicate(timeout=30)
            self._process = None


@dataclass(frozen=True)
class Site:
    """All that faults and clients need to know of the host."""

    machine: Machine
    agent: Agent
    place: Place

    @property
    def namespace(self) -> str:
        """The name of its network namespace, for `ip -n`."""
        return f"vdsm-testhost.{self.machine.name}"


@contextmanager
def prepared(machine: Machine, nics: list[str]) -> Iterator[Site]:
    """Give a host that runs what it needs. Chaos changes it for good."""
    _install(machine, nics)
    agent = Agent(machine)
    with tempfile.TemporaryDirectory(prefix="vdsm-chaos-") as directory:
        pki = Path(directory) / "pki"
        machine.copy_out("/etc/pki/vdsm", pki)
        tls = client_context(Identity.below(pki), check_name=True)
        network = Path("/run/netns") / f"vdsm-testhost-peer.{machine.name}"
        try:
            yield Site(machine, agent, Place(ADDRESS, tls, network))
        finally:
            agent.close()


def _install(machine: Machine, nics: list[str]) -> None:
    machine.sh("mkdir -p /opt/chaos")
    for name in ("agent.py", "lab.sh"):
        machine.copy_in(HERE / name, f"/opt/chaos/{name}")
    if machine.run("systemctl", "is-active", "chaos-lab.service", check=False).returncode == 0:
        _clean(machine)
        return
    machine.run("tee", "/opt/chaos/nics", stdin="\n".join(nics).encode())
    machine.run("tee", "/etc/systemd/system/chaos-lab.service", stdin=_UNIT.encode())
    machine.sh(
        f"""
        systemctl stop vdsm.target vdsm.service supervdsm.service
        truncate -s {_STATE_MIB}M /srv/chaos-state.img
        truncate -s {_DOMAIN_MIB}M /srv/chaos-domain.img
        mkfs.ext4 -q -m 0 -d {STATE_DIR} /srv/chaos-state.img
        mkfs.ext4 -q -m 0 -E root_owner=36:36 /srv/chaos-domain.img
        mkdir -p {" ".join(DIRECTORIES)}
        chown 36:36 {" ".join(DIRECTORIES)}
        systemctl daemon-reload
        systemctl enable --now chaos-lab.service
        systemctl start vdsm.target vdsm.service supervdsm.service
        """
    )
    machine.wait(SERVES)


def _clean(machine: Machine) -> None:
    """Take away what a run before has left: a pool that vdsm is connected to, a domain, faults."""
    machine.sh(
        f"""
        systemctl stop vdsm.service supervdsm.service
        nft delete table inet chaos 2>/dev/null || true
        umount /rhev/data-center/mnt/* 2>/dev/null || true
        rm -rf {DOMAIN_DIR}/* {STATE_DIR}/chaos-filler
        systemctl start vdsm.service supervdsm.service
        """
    )
    machine.wait(SERVES)
