# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker process: does one operation after another, until its parent is gone.

Standard input is the socket to vdsm. The kernel may hold this process in an operation for as long
as a storage server is dead; vdsm then kills it and takes another.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import Any

from vdsm.storage.outofprocess import frames
from vdsm.storage.outofprocess.frames import Failure, Refusal, Request, Status
from vdsm.storage.outofprocess.operations import TABLE
from vdsm.storage.outofprocess.walk import RefusedPath

_PR_SET_PDEATHSIG = 1  # prctl(2)
_PR_SET_NAME = 15
NAME = b"vdsm-files"


def main(parent: int) -> None:
    """Serves the process `parent`, which has started this one."""
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for vdsm
    os.umask(0)  # modes are as they are given
    connection = socket.socket(fileno=0)
    while True:
        try:
            request = frames.read(connection.recv)
        except (EOFError, ConnectionError):
            return
        connection.sendall(frames.framed(answer(frames.decode_request(request))))


def answer(request: Request) -> bytes:
    """Does what is asked; the answer's bytes."""
    try:
        result = TABLE[request.operation](*request.arguments)
    except OSError as error:
        path = error.filename if isinstance(error.filename, bytes) else None
        return _encoded(
            Status.OS_ERROR, Failure(error.errno or 0, error.strerror or str(error), path)
        )
    except RefusedPath as refused:
        return _encoded(Status.REFUSED, Refusal(refused.path, refused.why))
    except Exception as error:  # a wrong argument: the next request is not to suffer
        return _encoded(Status.BROKEN, f"{type(error).__name__}: {error}")
    return _encoded(Status.DONE, result)


def _encoded(status: Status, value: Any) -> bytes:
    return frames.encode((status, value))


def _die_with(parent: int) -> None:
    """Has the kernel kill this process when vdsm ends, also in the middle of an operation."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, NAME, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
