# SPDX-License-Identifier: GPL-2.0-or-later
"""Running the machine's own tools: quietly, with their words shown when they fail."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from testenv.report import Failed

TERMINATE_GRACE = 10.0
"""Seconds that an interrupted tool gets to undo its own work."""


def require_root_and_tools(*tools: str) -> None:
    """Raise `Failed` unless this is root with `tools` on its PATH (or in sbin)."""
    if os.geteuid() != 0:
        raise Failed("this needs root: it makes namespaces and mounts", "run it with sudo")
    # A login shell of root may lack the sbin directories.
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise Failed(f"not installed: {', '.join(missing)}", "run containers/setup")


def run(
    *argv: str | Path,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    show: bool = False,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Run a tool to its end and return what it said.

    The tool gets a session of its own, so that a Ctrl-C reaches only us: we end it with SIGTERM,
    let it undo its work, and then undo ours. With `show`, its output goes to our stderr instead.

    Raises:
        Failed: it exited non-zero (unless `check` is false); its last words are the details.
    """
    command = [str(arg) for arg in argv]
    output = sys.stderr if show else subprocess.PIPE
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=None if env is None else {**os.environ, **env},
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(stdin)
    except BaseException:
        _end_group(process)
        raise
    if check and process.returncode != 0:
        words = b"" if show else b"\n".join(((stdout or b"") + (stderr or b"")).splitlines()[-30:])
        raise Failed(
            f"`{shlex.join(command)[:300]}` ended with status {process.returncode}",
            details=words.decode(errors="replace"),
        )
    return subprocess.CompletedProcess(command, process.returncode, stdout or b"", stderr or b"")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number, grace in ((signal.SIGTERM, TERMINATE_GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(grace)
        except ProcessLookupError:
            process.wait()
        except subprocess.TimeoutExpired:
            continue
        return


def text(*argv: str | Path) -> str:
    """Like `run`, for a tool whose answer is one line of text."""
    return run(*argv).stdout.decode().strip()


def in_session(argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a program that outlives us, its output appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
