# SPDX-License-Identifier: GPL-2.0-or-later
"""mount(8) in a mount namespace of its own, which nothing leaves but a finished, detached mount.

mount(8) and mount.nfs(8) take their target by name, so they get one that vdsm can not reach: a
directory of the image, in the private namespace of one short-lived thread. The kernel ends that
namespace with the thread or the process, however it ends: a stage needs no cleaning up, not even
after SIGKILL.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Final, TypeVar

from supervdsm.common import command
from supervdsm.common.text import quote
from supervdsm.storage import kernel

_STAGE: Final = "/mnt"
"""hier(7): a mount point for temporary mounts. Any directory that only root changes would do."""

MOUNT_FAILURE: Final = 32
"""The exit status of mount(8) for a mount that failed; used for failures beside mount(8), too."""

_MAX_SOURCE: Final = 1024
_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")


class StageFailed(Exception):
    """Nothing was mounted: mount(8) ended with `status`, or what it mounted can not be used."""

    def __init__(self, status: int, stderr: str) -> None:
        super().__init__(stderr)
        self.status = status
        self.stderr = stderr


@contextmanager
def staged_mount(fs_type: str, options: Sequence[str], spec: str) -> Iterator[int]:
    """Mount `spec` where no one sees it and hold the detached mount's descriptor.

    Raises StageFailed, and TimedOut when the call's limit is reached.
    """
    argv = mount_command(fs_type, options, spec)
    tree = _in_new_namespace(lambda: _mount(argv))
    try:
        yield tree
    finally:
        os.close(tree)


def mount_command(fs_type: str, options: Sequence[str], spec: str) -> list[str]:
    """Return the command that mounts `spec` on the stage."""
    return ["mount", "-n", "-t", fs_type, "-o", ",".join(options), "--", spec, _STAGE]


def _mount(argv: Sequence[str]) -> int:
    try:
        began = time.monotonic()
        result = command.run(argv)
        # Without the options: those of other file systems carry passwords.
        took = time.monotonic() - began
        source = quote(argv[-2], _MAX_SOURCE)
        _log.info("mount(8) of %s ended with %d after %.3f s", source, result.status, took)
        if result.status != 0:
            # The stage's name means nothing to whoever reads this.
            reason = result.stderr.replace(f"mount: {_STAGE}: ", "mount: ")
            raise StageFailed(result.status, reason)
        try:
            return kernel.open_cloned_tree(_STAGE)
        except OSError as error:
            raise StageFailed(MOUNT_FAILURE, f"open_tree: {error.strerror}") from error
    finally:
        _clear()


def _clear() -> None:
    """Empty the stage now: a daemon that mount.nfs starts may keep the namespace alive."""
    try:
        kernel.unmount(_STAGE, kernel.MNT_DETACH | kernel.UMOUNT_NOFOLLOW)
    except OSError:
        # EINVAL: mount(8) left nothing there, which is what is wanted.
        return


def _in_new_namespace(function: Callable[[], _T]) -> _T:
    """Call `function` in a new thread with a mount namespace of its own, for the same call."""

    def enter() -> _T:
        kernel.enter_new_mount_namespace()
        return function()

    with ThreadPoolExecutor(1, thread_name_prefix="stage") as thread:
        return thread.submit(copy_context().run, enter).result()
