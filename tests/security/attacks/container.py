# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH114, PTH116, PTH118, PTH208
"""Tries to get out of vdsm's container, and prints how each try ended.

stdin: {"pids": of processes of the host, "abstract": names that somebody listens on there, "write":
files, "calls": numbers of system calls by name}. An outcome is "ok" or the name of an errno.
"""

import ctypes
import errno
import json
import os
import socket
import stat
import struct
import sys

RUN_DIR = "/run/vdsm"
VIRTUAL = ("/proc", "/sys")
_libc = ctypes.CDLL(None, use_errno=True)


def tried(function, *arguments):
    """Return how a call ended."""
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok"


def opened(path):
    os.close(os.open(path, os.O_WRONLY))


def system_call(number):
    """Make a system call with arguments that do no harm where it is allowed."""
    ctypes.set_errno(0)
    if _libc.syscall(number, 0, 0, 0, 0, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def connected(address):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(address)


def bound():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{RUN_DIR}/mine.sock")


def claimed():
    """Claim to be root in the credentials that go with a message."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"{RUN_DIR}/svdsm.sock")
        credentials = struct.pack("iII", 1, 0, 0)
        sock.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)])


def processes():
    """Return pid, uid and command of each process that is to be seen."""
    seen = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            uid = os.stat(f"/proc/{name}").st_uid
            with open(f"/proc/{name}/comm") as file:
                seen.append([int(name), uid, file.read().strip()])
        except OSError:
            continue  # it has ended
    return seen


def walk():
    """Return what may be written to, each socket that takes a connection, and set-id programs."""
    writable, sockets, set_id = [], [], []
    for directory, names, files in os.walk("/"):
        names[:] = [
            name
            for name in names
            if os.path.join(directory, name) not in VIRTUAL
            and not os.path.islink(os.path.join(directory, name))
        ]
        if os.access(directory, os.W_OK):
            writable.append(directory)
            names.clear()
        for name in files:
            path = os.path.join(directory, name)
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue  # it has gone
            if stat.S_ISLNK(mode):
                continue
            if stat.S_ISSOCK(mode):
                if tried(connected, path) == "ok":
                    sockets.append(path)
            elif os.access(path, os.W_OK) and not os.access(directory, os.W_OK):
                writable.append(path)
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                set_id.append(path)
    return writable, sockets, set_id


def main():
    config = json.load(sys.stdin)
    own = {name for name in os.listdir("/proc") if name.isdigit()}
    writable, sockets, set_id = walk()
    with open("/proc/net/unix") as file:
        abstract = [line.split()[-1] for line in file if "@" in line]
    report = {
        "processes": processes(),
        "writable": writable,
        "sockets": sockets,
        "set_id": set_id,
        "abstract seen": abstract,
        "root of pid 1": sorted(os.listdir("/proc/1/root")) == sorted(os.listdir("/")),
        "signal": {
            str(pid): tried(os.kill, pid, 0) for pid in config["pids"] if str(pid) not in own
        },
        "proc": {
            str(pid): tried(os.listdir, f"/proc/{pid}")
            for pid in config["pids"]
            if str(pid) not in own
        },
        "write": {path: tried(opened, path) for path in config["write"]},
        "abstract": {name: tried(connected, "\0" + name) for name in config["abstract"]},
        "calls": {name: tried(system_call, number) for name, number in config["calls"].items()},
        "run": {
            "create": tried(os.mkdir, f"{RUN_DIR}/mine"),
            "bind": tried(bound),
            "unlink": tried(os.unlink, f"{RUN_DIR}/svdsm.sock"),
            "rename": tried(os.rename, f"{RUN_DIR}/svdsm.sock", f"{RUN_DIR}/old.sock"),
            "link": tried(os.link, f"{RUN_DIR}/svdsm.sock", "/var/lib/vdsm/storage/svdsm.sock"),
            "chmod": tried(os.chmod, f"{RUN_DIR}/svdsm.sock", 0o777),
        },
        "credentials of root": tried(claimed),
        "node": tried(os.mknod, "/tmp/node", stat.S_IFBLK | 0o600, os.makedev(8, 0)),
        "kcore": tried(os.open, "/proc/kcore", os.O_RDONLY),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
