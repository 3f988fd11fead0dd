# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of the host's administrator that run before and after a change of the network.

As in oVirt: the executables of a directory run in the order of their names, each with the path of
a JSON file in `_hook_json`: `{"request": {"networks": …, "bondings": …, "options": …}}`, which a
hook before the change may rewrite. Exit status 0 is success, 2 ends the run at once, anything else
is a failure after which the others still run. They run in the host's mount namespace
(nsenter(1)), and only if nobody but root could have written them.
"""

import logging
import os
import stat
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from supervdsm.common import call, command
from supervdsm.common.text import quote
from supervdsm.network.transaction import durable
from vdsm_contract import paths
from vdsm_contract.errors import HookFailed, TimedOut

_log: Final = logging.getLogger(__name__)

HOOKS_DIR: Final = Path("/usr/libexec/vdsm/hooks")
LIMIT: Final = 60.0
"""Seconds for all hooks of one point together."""
NSENTER: Final = ("nsenter", "--target", "1", "--mount", "--")
_STOP: Final = 2
_KILLED: Final = -9
_MOST: Final = 16 * 1024 * 1024
_MAX_SHOWN: Final = 4096

Point = Literal["before_network_setup", "after_network_setup", "after_network_setup_fail"]


class Request(msgspec.Struct, frozen=True):
    """What a change was asked for with."""

    networks: dict[str, object]
    bondings: dict[str, object]
    options: dict[str, object]


class _File(msgspec.Struct, frozen=True):
    request: Request


@dataclass(frozen=True)
class Hooks:
    """The hooks below `directory`, a path of the host.

    `root` is the host's root tree as we see it, and `enter` the command that runs a program in its
    mount namespace; `root` is None when we are in that. `run_dir` has the same path here and there.
    `limit` is in seconds.
    """

    directory: Path = HOOKS_DIR
    root: Path | None = paths.HOST_ROOT
    run_dir: Path = paths.RUN_DIR
    enter: Sequence[str] = NSENTER
    limit: float = LIMIT

    def before(self, request: Request) -> Request:
        """Run the hooks before a change; return the request as they leave it.

        Raises HookFailed when one fails, and TimedOut when the call's own limit is reached.
        """
        result, failures = self._run("before_network_setup", request)
        if failures:
            raise failures[0]
        return result

    def after(self, request: Request, *, failed: bool) -> None:
        """Run the hooks after a change, or after one that failed. Their failures are only logged,
        for what they could prevent is over."""
        try:
            with call.serving("hooks", self.limit):  # the change's own limit may be used up
                self._run("after_network_setup_fail" if failed else "after_network_setup", request)
        except HookFailed as error:
            _log.error("%s", error)

    def _run(self, point: Point, request: Request) -> tuple[Request, list[HookFailed]]:
        hooks = self._find(point)
        if not hooks:
            return request, []
        file = self._write(request)
        try:
            failures = self._run_all(hooks, file)
            return (request if failures else self._read(file, hooks[-1])), failures
        finally:
            file.unlink(missing_ok=True)

    def _run_all(self, hooks: Sequence[Path], file: Path) -> list[HookFailed]:
        end = time.monotonic() + self.limit
        failures = []
        for hook in hooks:
            result = self._run_one(hook, file, end)
            _log.info(
                "hook %s status=%d stderr=%s", hook, result.status, quote(result.stderr, _MAX_SHOWN)
            )
            if result.status:
                failures.append(HookFailed(str(hook), result.status, result.stderr[:_MAX_SHOWN]))
            if result.status in {_STOP, _KILLED}:
                break
        return failures

    def _run_one(self, hook: Path, file: Path, end: float) -> command.Result:
        served = call.current()
        ours = max(end - time.monotonic(), 0.0)
        try:
            return command.run(
                [
                    *(self.enter if self.root else ()),
                    "/usr/bin/env",
                    f"_hook_json={file}",
                    str(hook),
                ],
                limit=min(ours, served.remaining()) if served else ours,
            )
        except TimedOut:
            if served:
                served.remaining()  # raises when it was the call's limit
            return command.Result(_KILLED, "", f"killed: hooks have {self.limit:g} s")
        except OSError as error:
            raise HookFailed(str(hook), error.errno or 1, str(error)) from error

    def _find(self, point: Point) -> list[Path]:
        """Return the hooks of a point, as paths of the host."""
        directory = self.directory / point
        seen = (self.root / directory.relative_to("/")) if self.root else directory
        try:
            with durable.opened(seen) as fd:
                for parent in (seen, *seen.parents[:2]):
                    with durable.opened(parent) as above:
                        durable.require_root_s(above, str(parent))
                return [directory / name for name in durable.names(fd) if _may_run(fd, name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.error("No hook of %s is run: %s", directory, error)
            return []

    def _write(self, request: Request) -> Path:
        try:
            fd, name = tempfile.mkstemp(prefix="hook-", suffix=".json", dir=self.run_dir)
            with open(fd, "wb") as file:
                file.write(msgspec.json.encode(_File(request)))
        except OSError as error:
            raise HookFailed(str(self.directory), error.errno or 1, str(error)) from error
        return Path(name)

    @staticmethod
    def _read(file: Path, hook: Path) -> Request:
        try:
            return msgspec.json.decode(durable.read(file, most=_MOST), type=_File).request
        except (OSError, ValueError, RecursionError) as error:
            reason = f"what the hooks left in _hook_json cannot be read: {error}"
            raise HookFailed(str(hook), 0, reason) from error


def _may_run(directory: int, name: str) -> bool:
    """Whether `name` is a program that root alone could have written; others are logged."""
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISLNK(mode):
                _log.error("Hook %s is not run: it is a link", quote(name, 256))
                return False
            if not stat.S_ISREG(mode) or not mode & 0o111:
                return False
            durable.require_root_s(fd, "it")
        finally:
            os.close(fd)
    except OSError as error:
        _log.error("Hook %s is not run: %s", quote(name, 256), error)
        return False
    return True
