# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of all four: an effect that can be counted, and ways to fail."""

import errno
import os
import threading
import time
from pathlib import Path

from supervdsm.server.listen import Listener
from vdsm_contract.declare import Interface, seconds, verb
from vdsm_contract.errors import KernelSettingFailed


class Work(Interface, name="org.ovirt.supervdsm.work"):
    """`call` is the id of the call. Its effect is a line in the file `effects`: the id, the release
    of the helper, and "begun" or "done"."""

    @verb(limit=seconds(5), touches="the effects file")
    def work(self, call: str, before: float, after: float) -> None:
        """Wait, leave the effect, wait again; in seconds."""

    @verb(limit=seconds(5), errors=(KernelSettingFailed,), touches="the effects file")
    def fail_declared(self, call: str) -> None:
        """Leave the effect and fail as declared."""

    @verb(limit=seconds(5), touches="the effects file")
    def fail_undeclared(self, call: str) -> None:
        """Leave the effect and fail as nobody declared."""

    @verb(limit=seconds(5), touches="the listening thread")
    def hang(self) -> None:
        """Let the thread that takes connections hang from now on."""


class WorkRoom(Work):
    """Does it. `release` is that of the code which runs."""

    def __init__(self, effects: Path, release: str) -> None:
        self._effects = effects
        self._release = release

    def _leave(self, call: str, what: str) -> None:
        fd = os.open(self._effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, f"{call} {self._release} {what}\n".encode())
        finally:
            os.close(fd)

    def work(self, call: str, before: float, after: float) -> None:
        self._leave(call, "begun")
        time.sleep(before)
        self._leave(call, "done")
        time.sleep(after)

    def fail_declared(self, call: str) -> None:
        self._leave(call, "done")
        raise KernelSettingFailed(path="/sys/none", errno=errno.EINVAL, reason="on purpose")

    def fail_undeclared(self, call: str) -> None:
        self._leave(call, "done")
        raise ZeroDivisionError("on purpose")

    def hang(self) -> None:
        def broken(_listener: Listener) -> None:
            threading.Event().wait()

        Listener._accept = Listener._accept_probes = broken  # type: ignore[method-assign]
