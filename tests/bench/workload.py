# SPDX-License-Identifier: GPL-2.0-or-later
"""oVirt's own workload: one network with a static address and N without; all of them are added,
moved from one NIC to another, and deleted. https://blogs.ovirt.org, November 2017.

With VLANs, two NICs carry all networks, as there. Where the kernel has no VLANs, each network has a
pair of veths as NICs of its own, and moves from the one to the other.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["vlan", "veth"]
Networks = Mapping[str, Mapping[str, Any]]

PHASES: Final = ("add", "edit", "delete")
STATIC: Final = "storage"
FAKE_NICS: Final = "nic*"
ADDRESS: Final = "192.0.2.5"
PREFIX: Final = 24


@dataclass(frozen=True)
class Workload:
    """`count` networks besides the one with an address."""

    kind: Kind
    count: int

    def networks(self, side: str) -> Networks:
        """Return the attributes of all networks on the NICs of a side, `a` or `b`."""
        static = {"ipaddr": ADDRESS, "prefix": PREFIX, "bridged": True}
        found: dict[str, Mapping[str, Any]] = {STATIC: {"nic": f"nic{side}", **static}}
        for number in range(1, self.count + 1):
            on: dict[str, Any] = {"nic": f"nic{side}", "vlan": number}
            if self.kind == "veth":
                on = {"nic": f"nic{side}{number}"}
            found[f"net{number}"] = {**on, "bridged": True}
        return found

    def request(self, phase: str) -> Networks:
        """Return what setupNetworks is asked for."""
        if phase == "delete":
            return {name: {"remove": True} for name in self.networks("a")}
        return self.networks("a" if phase == "add" else "b")

    def nics(self) -> list[str]:
        """Return the NICs that must be there."""
        numbers = range(1, self.count + 1) if self.kind == "veth" else ()
        return [f"nic{side}{number}" for side in "ab" for number in ("", *numbers)]

    def prepare(self) -> None:
        """Make the NICs in this namespace: veths whose other ends are up."""
        lines = ["link set lo up"]
        for number, nic in enumerate(self.nics()):
            lines += [f"link add {nic} type veth peer name far{number}", f"link set far{number} up"]
        batch(lines)


def batch(lines: list[str]) -> None:
    """Run `ip` commands."""
    program(["ip", "-batch", "-"], "\n".join(lines))


def program(argv: list[str], text: str = "") -> None:
    """Run a program on `text`; end with what it said when it fails."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")


Step = Callable[[str], float]
"""Carries out a phase and returns the seconds that it took."""
