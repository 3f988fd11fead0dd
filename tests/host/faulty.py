# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the faulty room into the real container, by drop-ins beside the units, and takes it out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machines import Machine, active

FAULTS = Path(__file__).parents[1] / "faults"
PYTHON = "/opt/venv/bin/python"
UNITS = "/etc/containers/systemd"
EFFECTS = "/var/tmp/effects"

SUPERVDSM = f"""\
[Container]
Entrypoint={PYTHON}
Exec=-m faults.daemon
Volume=/opt/faults:/opt/faults:ro
Environment=PYTHONPATH=/opt/faults FAULTS_EFFECTS=/host{EFFECTS}
"""
VDSM = """\
[Container]
Volume=/opt/faults:/opt/faults:ro
"""


@dataclass(frozen=True)
class Faulty:
    """A host whose supervdsm has the faulty room."""

    machine: Machine

    def call(self, verb: str, interface: str = "faults", **arguments: Any) -> dict[str, Any]:
        """Make a call from inside vdsm's container; return how it ended."""
        done = self.machine.run(*self._argv(verb, interface, arguments))
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def begin(self, verb: str, **arguments: Any) -> "Pending":
        """Begin a call from inside vdsm's container."""
        process = self.machine.start(*self._argv(verb, "faults", arguments))
        return Pending(process)

    def ran(self, word: str) -> int:
        """Return how often the function ran that leaves `word`."""
        return int(self.machine.sh(f"grep -Fcx {word} {EFFECTS} || true"))

    def wait_for(self, word: str) -> None:
        """Wait until `word` is left; a slow verb leaves `word.begun` when it begins."""
        self.machine.wait(f"grep -Fqx {word} {EFFECTS}")

    def _argv(self, verb: str, interface: str, arguments: dict[str, Any]) -> list[str]:
        environment = "--env=PYTHONPATH=/opt/faults"
        program = [PYTHON, "-m", "faults.caller", interface, verb, json.dumps(arguments)]
        return ["podman", "exec", environment, "vdsm", *program]


class Pending:
    """A call that is under way in another process."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def result(self, timeout: float = 60) -> dict[str, Any]:
        """Wait for its end; return how it ended."""
        out, _ = self._process.communicate(timeout=timeout)
        report: dict[str, Any] = json.loads(out)
        return report

    def abandoned(self, timeout: float = 60) -> None:
        """Wait for the end of the process, however it ends."""
        self._process.communicate(timeout=timeout)


@contextmanager
def installed(machine: Machine, supervdsm: str = SUPERVDSM) -> Iterator[Faulty]:
    """Run the pair with the faulty room until the block ends."""
    machine.sh(f"rm -rf /opt/faults; mkdir -p /opt/faults; : > {EFFECTS}; chmod 666 {EFFECTS}")
    machine.copy_in(FAULTS, "/opt/faults/faults")
    drop_in(machine, "supervdsm", "faults", supervdsm)
    drop_in(machine, "vdsm", "faults", VDSM)
    restart_pair(machine)
    try:
        yield Faulty(machine)
    finally:
        machine.sh(f"rm -f {UNITS}/*.container.d/faults.conf; systemctl daemon-reload")
        restart_pair(machine)


def drop_in(machine: Machine, unit: str, name: str, text: str) -> None:
    """Write a drop-in beside a container unit."""
    directory = f"{UNITS}/{unit}.container.d"
    machine.run("mkdir", "-p", directory)
    machine.run("tee", f"{directory}/{name}.conf", stdin=text.encode())


def restart_pair(machine: Machine) -> None:
    """Restart both services with their units as they are now, and wait until they serve."""
    machine.sh("systemctl daemon-reload; systemctl restart supervdsm.service vdsm.service")
    machine.wait(active("supervdsm.service", "vdsm.service"))
