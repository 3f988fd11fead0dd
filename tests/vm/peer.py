# SPDX-License-Identifier: GPL-2.0-or-later
"""The rest of the world: a network namespace in the VM with the other ends of eth1 and eth2.

`wire` is what eth1 and eth2 are plugged into: a switch (a bridge of eth3 and eth4), or for the bond
modes that need one that knows of them a bond of the same kind.
"""

import itertools
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from machines import Machine
from vm.shell import Shell

_IN: Final = "ip netns exec peer"
_PINGS: Final = "/run/pings"
_JUMBO: Final = 9000
_STATE: Final = os.environ.get("VDSM_TESTENV_STATE", "/var/lib/vdsm-testenv")


@dataclass
class Peer:
    """The namespace `peer`."""

    shell: Shell
    _vlans: dict[int, str] = field(default_factory=dict)

    def build(self, wire: str = "bridge") -> None:
        """Make it anew, as if nothing had been there. `wire` is a kind of link, with options."""
        self.remove()
        self.shell(
            "ip netns add peer; ip -n peer link set lo up\n"
            f"{_IN} sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0\n"
            "for nic in eth3 eth4; do\n"
            "  ip link set $nic netns peer; ip -n peer link set $nic mtu 9000\n"
            "done"
        )
        self.rewire(wire)

    def rewire(self, wire: str) -> None:
        """Replace what eth1 and eth2 are plugged into; its VLANs stay."""
        self.shell(
            "ip -n peer link del wire 2>/dev/null || true\n"
            f"ip -n peer link add wire type {wire}\n"
            "for nic in eth3 eth4; do\n"
            "  ip -n peer link set $nic down; ip -n peer link set $nic master wire\n"
            "  ip -n peer link set $nic up\n"
            "done\n"
            f"ip -n peer link set wire mtu {_JUMBO} up\n" + "\n".join(self._vlans.values())
        )

    def remove(self) -> None:
        """Give the NICs back to the VM."""
        self._vlans.clear()
        self.shell(
            "if [ -e /run/netns/peer ]; then\n"
            "  ip netns pids peer | xargs -r kill -9; ip netns del peer\n"
            "fi\n"
            "until [ -e /sys/class/net/eth3 ] && [ -e /sys/class/net/eth4 ]; do sleep 0.1; done"
        )

    def vlan(self, number: int, *addresses: str, mtu: int = _JUMBO) -> None:
        """Give it a VLAN, 0 for none, in place of what it has by that number."""
        if not number:
            script = "\n".join(f"ip -n peer addr replace {a} dev wire nodad" for a in addresses)
        else:
            name = f"v{number}"
            script = (
                f"ip -n peer link del {name} 2>/dev/null || true\n"
                f"ip -n peer link add link wire name {name} mtu {mtu} type vlan id {number}\n"
                f"ip -n peer link set {name} up\n"
                + "\n".join(f"ip -n peer addr add {a} dev {name} nodad" for a in addresses)
            )
        self._vlans[number] = script
        self.shell(script)

    def no_vlan(self, number: int) -> None:
        """Take a VLAN away."""
        del self._vlans[number]
        self.shell(f"ip -n peer link del v{number}")

    def run(self, script: str, *, timeout: float = 120, check: bool = True) -> str:
        """Run one command in it."""
        return self.shell(f"{_IN} {script}", timeout=timeout, check=check)

    def reaches(self, address: str, *, mtu: int = 0, seconds: int = 60) -> bool:
        """Whether an address answers within that time; with `mtu`, a packet of that size."""
        header = 48 if ":" in address else 28
        size = f"-M do -s {mtu - header}" if mtu else ""
        return self._answers(f"ping -q -c 1 -i 0.2 -w {seconds} {size} {address}")

    def lost(self, address: str) -> bool:
        """Whether an address does not answer."""
        return not self._answers(f"ping -q -c 1 -i 0.2 -w 1 {address}")

    def _answers(self, command: str) -> bool:
        return self.run(f"{command} >/dev/null && echo yes || echo no") == "yes"

    @contextmanager
    def watching(self, address: str) -> Iterator["Watch"]:
        """Ask an address ten times a second meanwhile."""
        self.shell(f"{_IN} ping -n -D -i 0.1 {address} >{_PINGS} 2>&1 & echo $! >{_PINGS}.pid")
        self.shell(f"until grep -q time= {_PINGS}; do sleep 0.1; done", timeout=120)
        watch = Watch()
        try:
            yield watch
            # It must answer again, or the silence is not over.
            count = self.shell(f"grep -c time= {_PINGS}")
            more = f"[ $(grep -c time= {_PINGS}) -gt $(({count} + 3)) ]"
            self.shell(f"until {more}; do sleep 0.1; done", timeout=120)
        finally:
            text = self.shell(f"kill -INT $(cat {_PINGS}.pid) || true; cat {_PINGS}")
        times = [float(at) for at in re.findall(r"^\[([0-9.]+)\].*time=", text, re.MULTILINE)]
        watch.silence = max(b - a for a, b in itertools.pairwise(times))


@dataclass
class Watch:
    """What was seen while an address was asked again and again."""

    silence: float = 0.0
    """The longest time without an answer, in seconds, known at the end."""


class Cables:
    """The VM's NICs are pulled and plugged by QEMU's control socket."""

    def __init__(self, vm: Machine) -> None:
        self._path = Path(_STATE, "vm", vm.name, "qmp.sock")

    def pull(self, nic: str) -> None:
        self._set(nic, up=False)

    def plug(self, nic: str) -> None:
        self._set(nic, up=True)

    def _set(self, nic: str, *, up: bool) -> None:
        with socket.socket(socket.AF_UNIX) as monitor, monitor.makefile("rw") as lines:
            monitor.settimeout(30)
            monitor.connect(str(self._path))
            assert "QMP" in json.loads(lines.readline())
            name = nic.replace("eth", "net")
            for command in (
                {"execute": "qmp_capabilities"},
                {"execute": "set_link", "arguments": {"name": name, "up": up}},
            ):
                lines.write(json.dumps(command))
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    assert "event" in answer, answer
