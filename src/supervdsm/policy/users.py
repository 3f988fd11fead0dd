# SPDX-License-Identifier: GPL-2.0-or-later
"""The users and groups that access may be checked for, by name.

The numbers are oVirt's, the same on every host that shares a storage domain; the account files of
the container that this runs in have no say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vdsm_contract import paths
from vdsm_contract.errors import InvalidArgument


@dataclass(frozen=True)
class Identity:
    """Whom a process runs as: user, primary group and all supplementary groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]


_GROUPS: Final[Mapping[str, int]] = {
    "kvm": paths.KVM_GID,
    "qemu": paths.QEMU_UID,  # both have a group of their own number
    "sanlock": paths.SANLOCK_UID,
}

_USERS: Final[Mapping[str, tuple[int, str]]] = {
    "vdsm": (paths.VDSM_UID, "kvm"),
    "qemu": (paths.QEMU_UID, "qemu"),
}
"""Uid and primary group."""


def identity(user: str, groups: Sequence[str]) -> Identity:
    """Return the identity of `user` with the supplementary `groups`."""
    if user not in _USERS:
        raise InvalidArgument("user", f"is none of {', '.join(_USERS)}")
    if not all(group in _GROUPS for group in groups):
        raise InvalidArgument("groups", f"only {', '.join(_GROUPS)} may be named")
    uid, primary = _USERS[user]
    numbers = tuple(sorted({_GROUPS[group] for group in groups}))
    return Identity(uid, _GROUPS[primary], numbers)
