# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of networks need: the VM's spare NICs, the world at their other ends, an engine."""

from dataclasses import dataclass, field
from typing import Any, Final

from machines import Machine
from vm.engine import Engine
from vm.kernel import Kernel
from vm.peer import Peer
from vm.shell import Shell

STATE: Final = "/var/lib/vdsm"
NICS: Final = ("eth1", "eth2")


@dataclass
class Site:
    """One VM under test."""

    engine: Engine
    shell: Shell
    peer: Peer
    vm: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.vm = self.shell.vm

    def build(self) -> None:
        """Plug the spare NICs in; nothing is on them."""
        self.clear()
        self.peer.build()
        self.bare_nics()

    def bare_nics(self) -> None:
        """As after a boot, but up, and without IPv6."""
        for nic in NICS:
            self.shell(
                f"ip addr flush dev {nic}; ip link set {nic} up mtu 1500;"
                f"sysctl -qw net.ipv6.conf.{nic}.disable_ipv6=1"
            )

    def take_away(self) -> None:
        self.clear()
        self.peer.remove()
        for nic in NICS:
            self.shell(f"ip link set {nic} down; sysctl -qw net.ipv6.conf.{nic}.disable_ipv6=0")

    def clear(self) -> None:
        """Remove all networks and bonds, and let a boot restore none."""
        names = {kind: self._names("staging", kind) for kind in ("nets", "bonds")}
        if self.stored() != {"staging": [], "persistence": []} or names["bonds"]:
            removal = [{name: {"remove": True} for name in one} for one in names.values()]
            done = self.engine.setup(*removal, commitOnSuccess=True)
            assert done is True, done

    def stored(self) -> dict[str, list[str]]:
        """The names of the networks of both configurations."""
        return {which: self._names(which, "nets") for which in ("staging", "persistence")}

    def _names(self, which: str, kind: str) -> list[str]:
        directory = f"{STATE}/{which}/netconf/{kind}"
        return sorted(self.shell(f"[ ! -d {directory} ] || ls {directory}").split())

    def kernel(self) -> Kernel:
        """What the kernel has, once it is still: it checks addresses (DAD) and bridges' ports
        (STP), and tells of carriers with a delay."""
        self.shell(
            'until [ -z "$(ip -6 addr show tentative)" ] &&'
            " ! bridge link | grep -q 'state \\(listening\\|learning\\)' &&"
            " ! ip link | grep -q NO-CARRIER.*LOWER_UP; do sleep 0.2; done",
            timeout=120,
        )
        return Kernel.read(self.shell)

    def setup(self, *networks_and_bondings: Any, **options: Any) -> None:
        """A change that must succeed."""
        done = self.engine.setup(*networks_and_bondings, **options)
        assert done is True, done
