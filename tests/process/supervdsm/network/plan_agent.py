# SPDX-License-Identifier: GPL-2.0-or-later
"""A host for tests of plans: a program that runs in a network namespace of its own, reads it and
changes it by supervdsm's code, and is told what to do on standard input.

It needs nothing but what supervdsm's image has, so that the VM ring runs it there. One request is a
line: a word, a space, JSON; so is one answer.
"""

import errno
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
from pyroute2 import IPRoute, NetlinkError

from supervdsm.network.apply.executor import Executor, OperationFailed
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.reading import Reader
from supervdsm.network.plan.operations import Operation
from supervdsm.network.plan.state import RULE_PRIORITY, Dhcp, State

NICS = ("eth0", "eth1", "eth2", "eth3")
FORGIVEN = {errno.ENODEV, errno.EEXIST}


class Part(msgspec.Struct):
    """Operations, and after how many of them to stop as if killed; never when it is negative."""

    operations: list[Operation]
    stop_after: int = -1


class Stopped(Exception):
    """As many operations were done as were to be done."""


class Clients:
    """Stands for the DHCP clients, which are systemd's units."""

    def __init__(self) -> None:
        self.running: dict[str, Dhcp] = {}

    def start(self, device: str, dhcp: Dhcp) -> None:
        self.running[device] = dhcp

    def stop(self, device: str) -> None:
        self.running.pop(device, None)


class Agent:
    """Serves requests."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._clients = Clients()
        self._resolv = root / "etc/resolv.conf"
        self._resolv.parent.mkdir()

    def read(self) -> State:
        """Read the namespace."""
        return Reader(
            patterns=NicPatterns(fake=("eth*",)),
            dhcp=lambda: dict(self._clients.running),
            nameservers=self._nameservers,
        ).read()

    def apply(self, part: Part) -> str:
        """Carry out operations; return what went wrong."""

        def count(done: int) -> None:
            if done == part.stop_after:
                raise Stopped

        executor = Executor(
            dhcp=self._clients,
            host_root=self._root,
            batch=1 if part.stop_after >= 0 else 100,
            after=count,
        )
        try:
            with suppress(Stopped):
                executor.apply(part.operations)
        except OperationFailed as error:
            return str(error)
        return ""

    def reset(self) -> None:
        """Begin again: nothing of ours, and NICs with addresses of their own."""
        self._clients.running.clear()
        self._resolv.write_text("nameserver 192.0.2.1\n")
        with IPRoute() as kernel:
            for link in kernel.get_links():
                if link["index"] != 1:
                    _forgive(kernel.link, "del", index=link["index"])
            for rule in kernel.get_rules():
                if rule.get("priority") == RULE_PRIORITY:
                    kernel.flush_rules(priority=RULE_PRIORITY)
                    break
            kernel.link("set", index=1, state="up")
            for number, nic in enumerate(NICS):
                address, far = f"02:00:00:00:00:{number + 1:02x}", f"far{number}"
                kernel.link("add", ifname=nic, kind="veth", address=address, peer={"ifname": far})
                kernel.link("set", index=kernel.link_lookup(ifname=far)[0], mtu=9000, state="up")
                index = kernel.link_lookup(ifname=nic)[0]
                for host in (2, 3):
                    kernel.addr(
                        "add", index=index, address=f"192.168.{number}.{host}", prefixlen=24
                    )
            first, second = (kernel.link_lookup(ifname=nic)[0] for nic in NICS[:2])
            kernel.link("set", index=first, state="up")
            kernel.link("set", index=second, mtu=9000)
            kernel.route("add", dst="10.99.0.0/16", gateway="192.168.0.1", oif=first)

    def kinds(self) -> list[str]:
        """Say which of `vlan`, `bond` and `hfsc` this kernel has."""
        found = []
        with IPRoute() as kernel:
            index = kernel.link_lookup(ifname=NICS[3])[0]
            tries: dict[str, Callable[[], object]] = {
                "vlan": lambda: kernel.link("add", ifname="t", kind="vlan", link=index, vlan_id=5),
                "bond": lambda: kernel.link("add", ifname="t", kind="bond"),
                "hfsc": lambda: kernel.tc("add", "hfsc", index=index, handle="1:", default="1:1"),
            }
            for kind, make in tries.items():
                with suppress(NetlinkError):
                    make()
                    found.append(kind)
                for link in kernel.link_lookup(ifname="t"):
                    kernel.link("del", index=link)
        self.reset()
        return found

    def _nameservers(self) -> list[str]:
        lines = self._resolv.read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith("nameserver")]


def _forgive(function: Callable[..., object], *arguments: object, **named: object) -> None:
    try:
        function(*arguments, **named)
    except NetlinkError as error:
        if error.code not in FORGIVEN:
            raise


def main() -> None:
    """Answer until standard input ends."""
    with tempfile.TemporaryDirectory() as root:
        agent = Agent(Path(root))
        for line in sys.stdin.buffer:
            word, _, content = line.partition(b" ")
            answer: object
            match word.strip():
                case b"read":
                    answer = agent.read()
                case b"apply":
                    answer = agent.apply(msgspec.json.decode(content, type=Part))
                case b"reset":
                    answer = agent.reset()
                case b"kinds":
                    answer = agent.kinds()
                case _:
                    raise ValueError(line)
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
