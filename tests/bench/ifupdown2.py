# SPDX-License-Identifier: GPL-2.0-or-later
"""ifupdown2, Debian's, in a tree of its own: the workload as a file of its configuration.

`ifreload -a` leads from whatever runs to what the file says, as setupNetworks does.
"""

import time
from pathlib import Path

from workload import ADDRESS, PREFIX, STATIC, Networks, Workload, program


class Ifupdown2:
    """The ifupdown2 that is installed in `tree`; the process must have mounts of its own."""

    def __init__(self, tree: Path, workload: Workload) -> None:
        self._tree = tree
        self._workload = workload
        for name in ("proc", "sys", "dev"):
            program(["mount", "--rbind", f"/{name}", str(tree / name)])
        # Where it remembers what it did in the last namespace.
        for name in ("run", "var/tmp"):
            program(["mount", "-t", "tmpfs", "none", str(tree / name)])
        (tree / "run/network").mkdir()
        self._configuration = tree / "var/tmp/interfaces"
        self._configuration.touch()
        program(["mount", "--bind", str(self._configuration), str(tree / "etc/network/interfaces")])

    def phase(self, phase: str) -> float:
        """Carry out a phase; return the seconds that it took."""
        networks = {} if phase == "delete" else self._workload.request(phase)
        self._configuration.write_text(_interfaces(networks))
        start = time.monotonic()
        program(["chroot", str(self._tree), "ifreload", "-a"])
        return time.monotonic() - start


def _interfaces(networks: Networks) -> str:
    text = ["auto lo", "iface lo inet loopback"]
    for name, attributes in networks.items():
        port = attributes["nic"]
        text += [f"auto {port}", f"iface {port} inet manual"]
        if "vlan" in attributes:
            port = f"{port}.{attributes['vlan']}"
            text += [f"auto {port}", f"iface {port} inet manual"]
        text += [f"auto {name}", f"iface {name} inet {'static' if name == STATIC else 'manual'}"]
        if name == STATIC:
            text.append(f"    address {ADDRESS}/{PREFIX}")
        text += [f"    bridge-ports {port}", "    bridge-stp off", "    bridge-fd 0"]
    return "\n".join(text) + "\n"
