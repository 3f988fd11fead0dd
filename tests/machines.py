# SPDX-License-Identifier: GPL-2.0-or-later
"""A disposable machine of the host or vm ring, through the command that people use for it too."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

ROOT = Path(__file__).parents[1]

Report = Callable[[str], None]
"""Shows a figure that a person wants to see also when the test passed."""


def active(*units: str) -> str:
    """The shell condition that all units are active. `systemctl is-active` wants one of them."""
    return f'[ "$(systemctl is-active {" ".join(units)} | sort -u)" = active ]'


SERVES: Final = active("vdsm.target", "vdsm.service", "supervdsm.service")
"""The shell condition that the pair has said that it is ready."""


class MachineError(AssertionError):
    """A command in a machine failed; carries all that it printed."""


@dataclass(frozen=True)
class Machine:
    """A test host (`containers/testhost`) or a test VM (`containers/testvm`) by its name."""

    tool: Path
    name: str

    def tool_run(
        self, *words: str, timeout: float = 300, check: bool = True, stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[str]":
        """Run the machine's command with `words`."""
        run = subprocess.run(
            [str(self.tool), *words], input=stdin, capture_output=True, timeout=timeout, check=False
        )
        text = subprocess.CompletedProcess(
            run.args,
            run.returncode,
            run.stdout.decode(errors="replace"),
            run.stderr.decode(errors="replace"),
        )
        if check and text.returncode:
            raise MachineError(f"{text.args}: {text.returncode}\n{text.stdout}\n{text.stderr}")
        return text

    def up(self, *, bare: bool = False) -> None:
        """Start it, with the pair unless `bare`; what it does is shown as it goes."""
        words = [str(self.tool), "up", "--name", self.name, *(["--bare"] if bare else [])]
        subprocess.run(words, check=True, stdout=sys.stderr, timeout=2400)

    def down(self) -> None:
        """End it and forget it."""
        self.tool_run("down", self.name)

    def run(
        self, *argv: str, timeout: float = 120, check: bool = True, stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, as root."""
        return self.tool_run(
            "exec", self.name, "--", *argv, timeout=timeout, check=check, stdin=stdin
        )

    def sh(self, script: str, *, timeout: float = 120, check: bool = True) -> str:
        """Run a shell script in it; return its output without the last newline."""
        return self.run("sh", "-euc", script, timeout=timeout, check=check).stdout.rstrip("\n")

    def wait(self, condition: str, *, timeout: float = 120) -> None:
        """Wait until a shell condition holds in it."""
        loop = f"until {condition}; do sleep 0.1; done"
        done = self.run(
            "timeout", str(timeout), "sh", "-c", loop, timeout=timeout + 60, check=False
        )
        if done.returncode:
            raise MachineError(f"not within {timeout} s: {condition}\n{self.logs()}")

    def start(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start a command in it that runs on; its stdin and stdout are pipes."""
        return subprocess.Popen(
            [str(self.tool), "exec", self.name, "--", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file or directory into it."""
        self.tool_run("copy", str(source), f"{self.name}:{target}")

    def copy_out(self, source: str, target: Path) -> None:
        """Copy a file or directory out of it."""
        self.tool_run("copy", f"{self.name}:{source}", str(target))

    def logs(self) -> str:
        """Return the last lines of both journals."""
        return self.tool_run("logs", self.name, check=False).stdout[-8000:]

    # --- the pair in it -------------------------------------------------------------------------

    def pid(self, unit: str) -> int:
        """Return the pid of a service's container, as the machine counts; 0: it does not run."""
        inspect = f"podman inspect -f '{{{{.State.Pid}}}}' {unit} 2>/dev/null || echo 0"
        return int(self.sh(inspect).split()[0])

    def kill(self, unit: str, signal: str = "KILL") -> int:
        """Send a signal to the main process of a service's container; return its pid."""
        pid = self.pid(unit)
        assert pid > 1, f"{unit} does not run"
        self.run("kill", f"-{signal}", str(pid))
        return pid

    def wait_for_restart(self, unit: str, old: int, *, timeout: float = 120) -> int:
        """Wait until a service runs with another pid than `old`, and is ready; return the pid."""
        inspect = f"podman inspect -f '{{{{.State.Pid}}}}' {unit} 2>/dev/null || echo {old}"
        self.wait(f'p=$({inspect}); [ "$p" != {old} ] && [ "$p" != 0 ]', timeout=timeout)
        self.wait(f"[ $(systemctl show -P SubState {unit}.service) = running ]", timeout=timeout)
        return self.pid(unit)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def client(self, *words: str, check: bool = True) -> Any:
        """Call vdsm by `vdsm-client` in it; return the decoded answer."""
        done = self.run("vdsm-client", *words, check=check)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def own_machine(tool: str, purpose: str) -> Machine:
    """A machine of this run alone."""
    return Machine(ROOT / "containers" / tool, f"{purpose}{os.getpid()}")


@contextmanager
def running(tool: str, variable: str, session: pytest.Session | None = None) -> Iterator[Machine]:
    """Run a machine with the pair until the block ends.

    The environment's `variable` names one that may run already, and is kept for the next run. When
    a test of `session` failed, the journals of one that is not kept are left below
    VDSM_TEST_ARTIFACTS.
    """
    kept = os.environ.get(variable)
    machine = Machine(ROOT / "containers" / tool, kept) if kept else own_machine(tool, "ring")
    try:
        machine.up()
        yield machine
    finally:
        if not kept:
            artifacts = os.environ.get("VDSM_TEST_ARTIFACTS")
            if artifacts and session is not None and session.testsfailed:
                machine.tool_run(
                    "collect", machine.name, "--to", f"{artifacts}/{tool}", check=False
                )
            machine.down()
