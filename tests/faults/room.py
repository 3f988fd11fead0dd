# SPDX-License-Identifier: GPL-2.0-or-later
"""The room that implements the faulty verbs."""

import errno
import os
import sys
import threading
import time
from pathlib import Path

from faults.interface import Faults
from supervdsm.common import command
from supervdsm.server.listen import Listener
from vdsm_contract.errors import KernelSettingFailed


class FaultsRoom(Faults):
    """Fails. `effects` is the file that counts how often a verb ran."""

    def __init__(self, effects: Path) -> None:
        self._effects = effects

    def effect(self, word: str) -> None:
        fd = os.open(self._effects, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, f"{word}\n".encode())
        finally:
            os.close(fd)

    def slow_effect(self, word: str, before: float, after: float) -> None:
        self.effect(f"{word}.begun")
        time.sleep(before)
        self.effect(word)
        time.sleep(after)

    def raise_declared(self, word: str) -> None:
        self.effect(word)
        raise KernelSettingFailed(path="/sys/none", errno=errno.EINVAL, reason="on purpose")

    def raise_undeclared(self, word: str) -> None:
        self.effect(word)
        raise ZeroDivisionError("on purpose")

    def exit(self, word: str) -> None:
        self.effect(word)
        sys.exit(0)

    def overstay(self, path: str, seconds: float) -> None:
        time.sleep(seconds)

    def overstay_in_child(self, seconds: float) -> None:
        command.run(["sh", "-c", f"sleep {seconds}; true"])

    def read_in_child(self, path: str) -> None:
        done = command.run(["sh", "-c", 'cat "$0"; exit $?', path])
        if done.status:
            raise KernelSettingFailed(path=path, errno=done.status, reason="the child was killed")

    def hold(self, seconds: float) -> None:
        time.sleep(seconds)

    def keep_secret(self, user: str, password: str) -> None:
        return

    def break_listener(self, how: str) -> None:
        def broken(listener: Listener) -> None:
            if how == "hang":
                threading.Event().wait()
            raise RuntimeError("the listening thread dies on purpose")

        Listener._accept = Listener._accept_probes = broken  # type: ignore[method-assign]
