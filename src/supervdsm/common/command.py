# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a child process within the limit of the call that needs it.

The child leads a process group of its own. When the limit is reached, the whole group is killed,
so that no grandchild (mount.nfs under mount, say) lives on. A child that the kernel holds in D
state can not be waited for: it is left behind and the caller gets TimedOut.

A stop of our service does not reach children: ExecStop= in supervdsm.container signals us alone.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from supervdsm.common import call
from vdsm_contract.errors import TimedOut

_REAP_SECONDS: Final = 1.0
"""How long a killed child may take to end before it is left behind."""

_MAX_OUTPUT: Final = 256 * 1024
"""What is kept of each output, in bytes: it may travel in an error."""

_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
"""All that a child sees of our environment."""


@dataclass(frozen=True)
class Result:
    """How a child ended. `status` is its exit status, negative for a signal."""

    status: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    limit: float | None = None,
    user: int | None = None,
    group: int | None = None,
    extra_groups: Sequence[int] | None = None,
    pass_fds: Sequence[int] = (),
) -> Result:
    """Run `argv` and return how it ended.

    `limit` is in seconds; the default is what the call being served has left. Raises TimedOut when
    it is reached and OSError when the program cannot be started.
    """
    served = call.current()
    if limit is None:
        limit = served.remaining() if served else None
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_ENVIRONMENT,
        cwd="/",
        user=user,
        group=group,
        extra_groups=extra_groups,
        pass_fds=pass_fds,
        process_group=0,
    )
    try:
        stdout, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        raise TimedOut(limit=served.limit if served else limit or 0.0) from None
    except BaseException:
        _kill_group(process)
        raise
    return Result(process.returncode, _text(stdout), _text(stderr))


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        process.communicate(timeout=_REAP_SECONDS)
    except subprocess.TimeoutExpired:
        # In D state: the kernel ends it when the device answers, and Popen reaps it then.
        return


def _text(output: bytes) -> str:
    return output[:_MAX_OUTPUT].decode(errors="replace").strip()
