# SPDX-License-Identifier: GPL-2.0-or-later
"""A network namespace as tests see it: `ip` changes it, and is the oracle to compare with."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vdsm_contract.types import NetworkCapabilities, NetworkStatistics

SOURCES = Path(__file__).parents[4] / "src"
FAKE_NICS = "veth_*,nic*"

_CALL = """
import sys, msgspec
from pathlib import Path
from supervdsm.network.room import NetworkRoom
room = NetworkRoom(host_root=Path(sys.argv[2]), state_dir=Path(sys.argv[3]))
sys.stdout.buffer.write(msgspec.json.encode(getattr(room, sys.argv[1])()))
"""


@dataclass(frozen=True)
class Namespace:
    """A network namespace, a host's root tree and vdsm's state for the room in it."""

    name: str
    host_root: Path
    state_dir: Path

    def ip(self, command: str) -> str:
        """Run `ip` with the words of `command` in the namespace."""
        return run("ip", "-n", self.name, *command.split())

    def batch(self, *commands: str) -> None:
        """Run several `ip` commands, in their order."""
        run("ip", "-n", self.name, "-batch", "-", text="\n".join(commands))

    def ip_json(self, command: str) -> list[dict[str, Any]]:
        """Return what `ip -j -d` answers."""
        answer: list[dict[str, Any]] = json.loads(self.ip(f"-j -d {command}") or "[]")
        # ip writes an empty object for each device that its filter dropped.
        return [item for item in answer if item]

    def python(self, code: str, *arguments: str) -> str:
        """Run Python code inside: `ip netns exec` also mounts the namespace's own sysfs."""
        environment = os.environ | {"PYTHONPATH": str(SOURCES), "VDSM_FAKE_NICS": FAKE_NICS}
        return run(
            "ip",
            "netns",
            "exec",
            self.name,
            sys.executable,
            "-c",
            code,
            *arguments,
            env=environment,
        )

    def caps(self) -> NetworkCapabilities:
        """Call the room's network_caps inside."""
        return msgspec.json.decode(self._call("network_caps"), type=NetworkCapabilities)

    def stats(self) -> NetworkStatistics:
        """Call the room's network_stats inside."""
        return msgspec.json.decode(self._call("network_stats"), type=NetworkStatistics)

    def _call(self, verb: str) -> str:
        return self.python(_CALL, verb, str(self.host_root), str(self.state_dir))


def run(*argv: str, env: dict[str, str] | None = None, text: str = "") -> str:
    """Run a program on `text` and return its output; fail the test with what it said."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout
