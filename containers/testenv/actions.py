# SPDX-License-Identifier: GPL-2.0-or-later
"""What each word of containers/testhost and containers/testvm does."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from testenv import artifacts, pair, transfer
from testenv.machine import Machine, machine_names
from testenv.report import progress, step

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked us to stop; whatever was begun is undone on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def held_back() -> Iterator[None]:
    """Let an interruption wait for the end of the block, in which a process is started."""
    caught: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        caught.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        raise Interrupted(caught[0])


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let the undoing finish: a second Ctrl-C only gets an answer."""

    def answer(_number: int, _frame: FrameType | None) -> None:
        progress("cleaning up, please wait …")

    before = {number: signal.signal(number, answer) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Options:
    """The command line, read."""

    name: str
    names: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    bare: bool = False
    keep: bool = False
    peer: bool = False
    follow: bool = False
    all: bool = False
    source: str = ""
    target: str = ""
    directory: str = ""


class Actions:
    """One method per word of the command line; each returns the exit status."""

    def __init__(self, machine_type: Callable[[str], Machine], kind: str) -> None:
        self._machine = machine_type
        self._kind = kind

    def up(self, options: Options) -> int:
        machine = self._machine(options.name)
        with machine.locked():
            new = not machine.created
            try:
                with machine.console_shown_on_failure():
                    pair.bring_up(machine, bare=options.bare)
            except BaseException:
                if new and not options.keep:
                    with undisturbed():
                        progress(f"taking {machine.title} {machine.name} away again")
                        machine.remove()
                raise
        print(pair.hints(machine, bare=options.bare))
        return 0

    def exec(self, options: Options) -> int:
        machines = [self._machine(name) for name in options.names]
        for machine in machines:
            machine.require_running()
        argv = options.argv
        commands = [
            [*machine.peer.enter(), *argv] if options.peer else machine.enter(argv)
            for machine in machines
        ]
        if len(commands) == 1:
            _become(commands[0])
        # Several cannot share one stdin.
        statuses = [
            _status(subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode)
            for command in commands
        ]
        return next((status for status in statuses if status != 0), 0)

    def shell(self, options: Options) -> int:
        machine = self._machine(options.name)
        machine.require_running()
        _become(machine.shell())

    def copy(self, options: Options) -> int:
        transfer.copy(self._place(options.source), self._place(options.target))
        return 0

    def _place(self, argument: str) -> transfer.Place:
        name, colon, path = argument.partition(":")
        if not colon or "/" in name:
            return transfer.Place(None, argument)
        machine = self._machine(name)
        machine.require_running()
        return transfer.Place(machine, path or "/root/")

    def logs(self, options: Options) -> int:
        machine = self._machine(options.name)
        machine.require_running()
        _become(machine.enter(pair.journal_command(*(["--follow"] if options.follow else []))))

    def collect(self, options: Options) -> int:
        artifacts.collect(self._machine(options.name), Path(options.directory))
        return 0

    def down(self, options: Options) -> int:
        names = machine_names(self._kind) if options.all else [options.name]
        for name in names:
            machine = self._machine(name)
            with machine.locked():
                if not machine.exists:
                    machine.remove()  # a namespace may be left of a killed command
                    progress(f"{machine.title} {name} is not there")
                    continue
                # By a power cut: nothing that a shutdown would write is kept.
                with step(f"ending {machine.title} {name}"), undisturbed():
                    machine.remove()
        return 0

    def power_cut(self, options: Options) -> int:
        machine = self._machine(options.name)
        with machine.locked():
            machine.require_running()
            machine.power_cut()
        return 0

    def boot(self, options: Options) -> int:
        machine = self._machine(options.name)
        with machine.locked():
            if not machine.running():
                if not machine.created:
                    machine.require_running()
                machine.boot()
        return 0

    def reboot(self, options: Options) -> int:
        machine = self._machine(options.name)
        with machine.locked():
            machine.require_running()
            machine.power_off()
            machine.boot()
        return 0

    def list(self, _options: Options) -> int:
        for name in machine_names(self._kind):
            machine = self._machine(name)
            print(f"{name}\t{'running' if machine.running() else 'off'}\t{machine.directory}")
        return 0


def _become(command: Sequence[str]) -> NoReturn:
    """Go on as `command`: stdin, signals and the exit status are then simply its own."""
    os.execvp(command[0], list(command))


def _status(returncode: int) -> int:
    """Turn Python's -N for a signal into the shell's 128+N."""
    return returncode if returncode >= 0 else 128 - returncode
