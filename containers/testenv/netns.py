# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces: a machine's own, and its peer's, where the test's clients run."""

from pathlib import Path

from testenv import config
from testenv.commands import run

PINNED = Path("/run/netns")


class NetworkNamespace:
    """A namespace pinned by name, as ``ip netns`` does it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = PINNED / name

    def create(self) -> None:
        if not self.path.exists():
            run("ip", "netns", "add", self.name)
            self.ip("link", "set", "lo", "up")

    def remove(self) -> None:
        if self.path.exists():
            run("ip", "netns", "delete", self.name)

    def ip(self, *args: str) -> None:
        """Run ``ip`` on this namespace."""
        run("ip", "-n", self.name, *args)

    def enter(self) -> list[str]:
        """Return the command prefix that runs a program in here."""
        return ["nsenter", f"--net={self.path}", "--"]


def connect(host: NetworkNamespace, peer: NetworkNamespace) -> None:
    """Make `host` new, with ``eth0`` on a cable to ``peer0`` in `peer`, both with addresses.

    New at every boot: what the machine had configured before is lost, as in a real reboot.
    The peer lives on, and with it what runs there.
    """
    host.remove()
    peer.create()
    host.create()
    run("ip", "-n", peer.name, "link", "delete", "peer0", check=False)  # else the kernel's later
    peer.ip("link", "add", "peer0", "type", "veth", "peer", "name", "eth0", "netns", host.name)
    for namespace, device, address in (
        (peer, "peer0", config.PEER_ADDRESS),
        (host, "eth0", config.ADDRESS),
    ):
        namespace.ip("address", "add", f"{address}/{config.PREFIX_LENGTH}", "dev", device)
        namespace.ip("link", "set", device, "up")
