# SPDX-License-Identifier: GPL-2.0-or-later
"""Write name servers into the host's resolv.conf(5), so that it is the old or the new file whenever
the power goes.

Where /etc/resolv.conf is a link to a plain file of the administrator's, that file is written. Where
it is a link to what a daemon writes below /run (systemd-resolved, NetworkManager), or to nothing,
the daemon would soon undo a change: the link is replaced by a plain file, which these daemons take
for the administrator's will (systemd-resolved.service(8), "/etc/resolv.conf"), and kept beside it
under a name that says so. When the servers are again those that the link leads to, it comes back.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from supervdsm.common import host_file
from supervdsm.network.report import resolver
from supervdsm.policy import syscalls

_DIRECTORY: Final = "/etc"
_NAME: Final = "resolv.conf"
_KEPT_LINK: Final = "resolv.conf.before-ovirt"
_BESIDE: Final = ".resolv.conf.ovirt-new"
_DAEMONS: Final = Path("/run")
_TITLE: Final = "# Name servers set by oVirt (supervdsm)."
_SETTINGS: Final = frozenset({"search", "domain", "options", "sortlist"})
_TRUST: Final = "trust-ad"
"""An option that is right for a resolver on the same host only."""
_LABEL: Final = "security.selinux"
_IN_ROOT: Final = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS


def write(host_root: Path, nameservers: Sequence[str]) -> None:
    """Make `nameservers` the host's, in their order. Raises OSError."""
    with _opened(host_root, _DIRECTORY) as etc:
        link = _link(etc, _NAME)
        if link is None:
            if _restored(host_root, etc, nameservers):
                return
            directory, name = _DIRECTORY, _NAME
        else:
            found = _plain_file(host_root)
            if found is None or found.is_relative_to(_DAEMONS):
                _keep(etc, link)
                lines = _settings(_text(host_root, _NAME) if found else "", link)
                _put(etc, _NAME, _render(lines, nameservers))
                return
            directory, name = str(found.parent), found.name
    with _opened(host_root, directory) as parent:
        _put(parent, name, _render(_others(_text(host_root, _NAME)), nameservers))


def _restored(host_root: Path, etc: int, nameservers: Sequence[str]) -> bool:
    """Bring the link back that our file stands for, if it leads to these servers."""
    if _link(etc, _KEPT_LINK) is None or not _text(host_root, _NAME).startswith(_TITLE):
        return False
    if resolver.parse(_text(host_root, _KEPT_LINK)) != list(nameservers):
        return False
    os.rename(_KEPT_LINK, _NAME, src_dir_fd=etc, dst_dir_fd=etc)
    os.fsync(etc)
    return True


def _keep(etc: int, target: str) -> None:
    """Keep a link to `target` for later."""
    with suppress(FileNotFoundError):
        os.unlink(_BESIDE, dir_fd=etc)
    os.symlink(target, _BESIDE, dir_fd=etc)
    os.rename(_BESIDE, _KEPT_LINK, src_dir_fd=etc, dst_dir_fd=etc)


def _settings(text: str, link: str) -> Iterator[str]:
    """Return what to keep of a daemon's file."""
    yield _TITLE
    yield f"# {_DIRECTORY}/{_NAME} was a link to {link}"
    yield f"# and is kept as {_DIRECTORY}/{_KEPT_LINK}."
    for line in text.splitlines():
        words = [word for word in line.split() if word != _TRUST]
        if len(words) > 1 and words[0] in _SETTINGS:
            yield " ".join(words)


def _others(text: str) -> Iterator[str]:
    """Return all lines but those of name servers."""
    return (line for line in text.splitlines() if line.split()[:1] != ["nameserver"])


def _render(lines: Iterable[str], nameservers: Sequence[str]) -> bytes:
    servers = (f"nameserver {server}" for server in nameservers)
    return "".join(f"{line}\n" for line in (*lines, *servers)).encode()


def _put(directory: int, name: str, content: bytes) -> None:
    """Replace the file `name` in `directory`, which keeps its owner, mode and label."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        os.unlink(_BESIDE, dir_fd=directory)
    fd = os.open(_BESIDE, flags | os.O_EXCL, 0o600, dir_fd=directory)
    with open(fd, "wb") as file:
        _adopt(fd, directory, name)
        file.write(content)
        file.flush()
        os.fsync(fd)
    os.rename(_BESIDE, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


def _adopt(fd: int, directory: int, name: str) -> None:
    """Give a new file the owner, mode and SELinux label of the plain file that it replaces."""
    os.fchmod(fd, 0o644)
    try:
        old = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory
        )
    except OSError:
        return  # there is none, or it is a link
    try:
        status = os.fstat(old)
        os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))
        with suppress(OSError):
            os.setxattr(fd, _LABEL, os.getxattr(old, _LABEL))
    finally:
        os.close(old)


def _text(host_root: Path, name: str) -> str:
    """Return the text of a file in /etc, as the host sees it; empty when there is none."""
    try:
        return host_file.read_text(host_root, f"{_DIRECTORY}/{name}")
    except FileNotFoundError:
        return ""


def _plain_file(host_root: Path) -> Path | None:
    """Return the plain file of the host that resolv.conf leads to, if it does."""
    try:
        with _opened(host_root, f"{_DIRECTORY}/{_NAME}", os.O_PATH) as fd:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            found = Path(f"/proc/self/fd/{fd}").readlink()
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            return None
        raise
    return Path("/") / found.relative_to(host_root.resolve())


def _link(directory: int, name: str) -> str | None:
    """Return where a link leads; None when it is none."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None


@contextmanager
def _opened(host_root: Path, path: str, flags: int = os.O_RDONLY | os.O_DIRECTORY) -> Iterator[int]:
    """Hold what `path` is on the host open, with the host's tree as the root of all links."""
    root = os.open(host_root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = syscalls.openat2(root, path, flags=flags, resolve=_IN_ROOT)
    finally:
        os.close(root)
    try:
        yield fd
    finally:
        os.close(fd)
