# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by test_privileges.py in namespaces of its own: tries what verbs do, with what supervdsm
keeps and with one capability less. Prints JSON: for each capability, what failed with it and
without.

`privileges_agent.py calls` tries the refused system calls instead, with arguments that none of them
takes, and prints the errno of each.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from supervdsm.common import command
from supervdsm.network.apply import resolv_conf
from supervdsm.server import privileges, seccomp
from supervdsm.storage import access, kernel, users
from vdsm_contract.errors import TimedOut

_PR_CAPBSET_DROP = 24
_SYS_ADMIN = 21
_OTHER = 1000
_VDSM = 36


def resolver(base: Path) -> None:
    """The file of an administrator who is not root."""
    etc = base / "etc"
    etc.mkdir()
    (etc / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    os.chown(etc / "resolv.conf", _OTHER, _OTHER)
    privileges.reduce()
    resolv_conf.write(base, ["192.0.2.2"])


def fuser(base: Path) -> None:
    """A file that a process of vdsm's user holds open."""
    (base / "mnt").mkdir()
    (base / "mnt/held").touch(0o666)
    base.chmod(0o755)
    with (base / "mnt/held").open() as held:
        user = subprocess.Popen(["sleep", "60"], stdin=held, user=_VDSM, group=_VDSM)
    try:
        privileges.reduce()
        assert users.fuser(str(base / "mnt"), data_center=base) == [user.pid], "it was not seen"
    finally:
        user.kill()


def another_user(base: Path) -> None:
    """A child that becomes vdsm's user."""
    (base / "domain").mkdir()
    (base / "domain").chmod(0o777)
    base.chmod(0o755)
    privileges.reduce()
    access.validate_access("vdsm", [], str(base / "domain"), 7, data_center=base)


def endless_child(_base: Path) -> None:
    """A child of another user that does not end by itself."""
    privileges.reduce()
    try:
        command.run(["sleep", "20"], limit=0.2, user=_VDSM, group=_VDSM, extra_groups=())
    except TimedOut:
        return
    raise AssertionError("it ended")


def bounding_set(_base: Path) -> None:
    """What rpc.statd does."""
    privileges.reduce()
    assert ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _SYS_ADMIN, 0, 0, 0) == 0, "it stays"


def low_port(_base: Path) -> None:
    """What mount.nfs does."""
    privileges.reduce()
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 700))


def link(_base: Path) -> None:
    """A change of a link."""
    privileges.reduce()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True)


def frames(_base: Path) -> None:
    """What the announcements are sent by."""
    privileges.reduce()
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def host_command(_base: Path) -> None:
    """How systemctl and hooks are run: with one that has all capabilities, as the host's pid 1."""
    other = subprocess.Popen(["unshare", "--mount", "sh", "-c", "echo; exec sleep 60"], stdout=-1)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        privileges.reduce()
        enter = ["nsenter", "--target", str(other.pid), "--mount", "--", "true"]
        subprocess.run(enter, check=True, capture_output=True)
    finally:
        other.kill()


def mount_namespace(_base: Path) -> None:
    """How a mount begins."""
    privileges.reduce()
    kernel.enter_new_mount_namespace()


TRIALS: dict[str, Callable[[Path], None]] = {
    "CAP_CHOWN": resolver,
    "CAP_DAC_OVERRIDE": fuser,
    "CAP_FOWNER": resolver,
    "CAP_KILL": endless_child,
    "CAP_SETGID": another_user,
    "CAP_SETUID": another_user,
    "CAP_SETPCAP": bounding_set,
    "CAP_NET_BIND_SERVICE": low_port,
    "CAP_NET_ADMIN": link,
    "CAP_NET_RAW": frames,
    "CAP_SYS_CHROOT": host_command,
    "CAP_SYS_PTRACE": host_command,
    "CAP_SYS_ADMIN": mount_namespace,
}


def tried(trial: Callable[[Path], None], less: int) -> str:
    """Run a trial in a child whose set lacks the capabilities `less`; return what failed."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        kept = privileges.mask() & ~less
        privileges.mask = lambda: kept
        said = ""
        try:
            with tempfile.TemporaryDirectory() as directory:
                trial(Path(directory))
        except (OSError, AssertionError, RuntimeError, subprocess.CalledProcessError) as error:
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return said


def capabilities() -> dict[str, list[str]]:
    """Return, for each capability, what failed with all that is kept, and without this one."""
    return {
        name: [tried(trial, 0), tried(trial, 1 << privileges.KEPT[name].bit)]
        for name, trial in TRIALS.items()
    }


def calls() -> dict[str, int]:
    """Return the errno of each refused call that this architecture has."""
    library = ctypes.CDLL("libseccomp.so.2")
    libc = ctypes.CDLL(None, use_errno=True)
    seen = {}
    for name in (name for names in seccomp.REFUSED.values() for name in names):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            ctypes.set_errno(0)
            libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
            seen[name] = ctypes.get_errno()
    return seen


def main() -> None:
    if sys.argv[1:] == ["calls"]:
        os.setsid()  # no terminal to hang up
        before = calls()
        privileges.reduce()
        print(json.dumps([before, calls()]))
    else:
        print(json.dumps(capabilities()))


if __name__ == "__main__":
    main()
