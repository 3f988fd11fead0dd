# SPDX-License-Identifier: GPL-2.0-or-later
"""Check what a user with its groups may do with a path below /rhev/data-center, by being that user.

It happens in a child process: it alone changes its ids, and it alone hangs when the path is on a
dead server, until the call's limit is reached.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from supervdsm.common import command
from supervdsm.policy import paths
from supervdsm.policy.users import Identity, identity
from vdsm_contract.errors import AccessDenied, InvalidArgument

_CHILD: Final = Path(__file__).with_name("access_child.py")
_PATH: Final = "targetPath"
_WORDS: Final = {os.R_OK: "read", os.W_OK: "write", os.X_OK: "search"}


def validate_access(
    user: str, groups: Sequence[str], target: str, perms: int, *, data_center: Path
) -> None:
    """Raise AccessDenied unless `user` with `groups` has all `perms` on `target`.

    `perms` has the bits of access(2); 0 asks only whether the path can be reached. Raises
    InvalidArgument also when it can not, for another reason than permissions, and TimedOut.
    """
    who = identity(user, groups)
    relative = paths.below(target, data_center, field=_PATH)
    if not 0 <= perms <= sum(_WORDS):
        raise InvalidArgument("perms", f"is not within 0 and {sum(_WORDS)}")
    number, missing = _check_in_child(who, data_center, relative, perms)
    if number:
        raise InvalidArgument(_PATH, paths.explain(OSError(number, os.strerror(number))))
    if missing is not None:
        words = [word for bit, word in _WORDS.items() if missing & bit] or ["search"]
        raise AccessDenied(user, target, " and ".join(words))


def _check_in_child(
    who: Identity, data_center: Path, relative: str, perms: int
) -> tuple[int, int | None]:
    """Return the errno of the walk (0: it arrived) and the missing bits (None: none is)."""
    groups = ",".join(map(str, who.groups))
    argv = [sys.executable, "-I", "-S", str(_CHILD), str(who.uid), str(who.gid), groups]
    result = command.run([*argv, str(data_center), relative, str(perms)])
    if result.status != 0:
        raise RuntimeError(f"{_CHILD.name} ended with {result.status}: {result.stderr}")
    number, missing = result.stdout.split()
    return int(number), None if missing == "granted" else int(missing)
