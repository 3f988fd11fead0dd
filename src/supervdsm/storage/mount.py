# SPDX-License-Identifier: GPL-2.0-or-later
"""Mount and unmount below /rhev/data-center, and nowhere else.

vdsm owns that tree and may swap anything in it at any time. So the target is a directory held
open, the mount is made aside (`sources`), and the kernel hangs the one on the other without
looking up a name. Everything before that last step is undone by leaving a block; after it there is
nothing that could fail.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Final

from supervdsm.common import command
from supervdsm.common.text import quote
from supervdsm.policy import paths
from supervdsm.policy.mount_options import mount_options, vfs_type
from supervdsm.policy.paths import Entry
from supervdsm.storage import kernel, mountinfo, sources
from supervdsm.storage.mountinfo import Mount
from supervdsm.storage.sources import Source
from supervdsm.storage.stage import MOUNT_FAILURE, StageFailed
from vdsm_contract import asked
from vdsm_contract.errors import MountFailed, UmountFailed

_TARGET: Final = "fsFile"
_MAX_TEXT: Final = 1024
_log: Final = logging.getLogger(__name__)
_UMOUNT: Final = Path(__file__).with_name("umount_child.py")


def mount(
    spec: str,
    target: str,
    options_text: str | None,
    type_name: str | None,
    *,
    data_center: Path,
    host_root: Path,
) -> None:
    """Mount `spec` on `target`, or change nothing.

    Raises InvalidArgument, MountFailed and TimedOut.
    """
    relative = paths.below(target, data_center, field=_TARGET)
    vfs = vfs_type(type_name, spec)
    options = mount_options(options_text, vfs)
    with (
        paths.pinned_parent(data_center, relative, field=_TARGET) as entry,
        sources.opened(spec, vfs, options, data_center=data_center, host_root=host_root) as source,
    ):
        try:
            how = "is mounted on" if _mount_on(entry, source) else "was already mounted on"
        except StageFailed as error:
            raise MountFailed(spec, target, error.status, error.stderr) from error
    _log.info("%s %s %s", quote(spec, _MAX_TEXT), how, quote(target, _MAX_TEXT))


def umount(
    target: str, *, force: bool, lazy: bool, data_center: Path, noted: Path = asked.PATH
) -> None:
    """Unmount what is mounted on `target`. `noted` is where an upgrade reads what was asked for.

    Raises InvalidArgument, UmountFailed and TimedOut.
    """
    relative = paths.below(target, data_center, field=_TARGET)
    flags = kernel.UMOUNT_NOFOLLOW
    flags |= kernel.MNT_FORCE if force else 0
    flags |= kernel.MNT_DETACH if lazy else 0
    with (
        paths.pinned_parent(data_center, relative, field=_TARGET) as entry,
        # Only what is a mount: a directory above others must not excuse the loss of all of them.
        asked.noted(noted, mounts=[target] if mounted_on(entry) else []),
    ):
        number = _umount_in_child(entry, flags)
    if number:
        raise UmountFailed(target, number, os.strerror(number))
    _log.info("%s is unmounted", quote(target, _MAX_TEXT))


def mounted_on(entry: Entry) -> Mount | None:
    """Return what is mounted on `entry`, without touching it: its server may be dead."""
    return mountinfo.topmost(entry.path, mountinfo.mount_id(entry.parent), mountinfo.read())


def _mount_on(entry: Entry, source: Source) -> bool:
    """Mount; return False when that was done before."""
    present = mounted_on(entry)
    if present and source.is_shown_by(present):
        return False
    if present:
        message = f"already a mount of {present.source} ({present.fs_type})"
        raise StageFailed(MOUNT_FAILURE, message)
    with (
        paths.pinned_child(entry, field=_TARGET) as directory,
        source.detached() as tree,
    ):
        try:
            kernel.attach(tree, directory)
        except OSError as error:
            raise StageFailed(MOUNT_FAILURE, f"move_mount: {error.strerror}") from error
    return True


def _umount_in_child(entry: Entry, flags: int) -> int:
    """Return the errno (0: unmounted). A dead server hangs the child, which is left behind then."""
    argv = [sys.executable, "-I", "-S", str(_UMOUNT), str(entry.parent), entry.name, str(flags)]
    result = command.run(argv, pass_fds=[entry.parent])
    if result.status != 0:
        raise RuntimeError(f"{_UMOUNT.name} ended with {result.status}: {result.stderr}")
    return int(result.stdout)
