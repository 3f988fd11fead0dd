# SPDX-License-Identifier: GPL-2.0-or-later
"""A shell in the VM that stays: a command costs a round trip, and not a login."""

import os
import select
import shlex
import subprocess
import time

from machines import Machine, MachineError

_ERRORS = "/run/shell.stderr"
_MARK = b"\x01status "


class Shell:
    """One command after the other, as root. Whatever a script leaves running must not write."""

    def __init__(self, vm: Machine) -> None:
        self.vm = vm
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, script: str, *, timeout: float = 120, check: bool = True) -> str:
        """Run a script of bash, which ends at the first command that fails; return what it printed,
        without the last newline."""
        process = self._running()
        assert process.stdin is not None
        line = f"( set -eu; eval {shlex.quote(script)} ) </dev/null 2>{_ERRORS}; "
        process.stdin.write(f"{line} printf '\\n\\001status %d\\n' $?\n".encode())
        process.stdin.flush()
        output, status = self._answer(process, timeout, script)
        if check and status:
            errors = self.vm.sh(f"tail -c 4000 {_ERRORS}")  # a script here would empty it first
            raise MachineError(f"{script}: {status}\n{output}\n{errors}")
        return output.rstrip("\n")

    def close(self) -> None:
        """End it; the next script starts another one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self.vm.start("bash")
        return self._process

    def _answer(
        self, process: "subprocess.Popen[bytes]", timeout: float, script: str
    ) -> tuple[str, int]:
        assert process.stdout is not None
        fd, data, end = process.stdout.fileno(), b"", time.monotonic() + timeout
        while _MARK not in data or not data.endswith(b"\n"):
            ready, _, _ = select.select([fd], [], [], max(end - time.monotonic(), 0))
            new = os.read(fd, 1 << 16) if ready else b""
            if not new:
                self.close()
                why = "the connection ended" if ready else f"not within {timeout} s"
                raise MachineError(f"{why}: {script}\n{data.decode(errors='replace')}")
            data += new
        output, _, status = data.rpartition(_MARK)
        return output.decode(errors="replace"), int(status)
