# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts of the kernel and of libvirt in which names are a stranger's: mountinfo, cgroup,
qemu.conf.

The first byte chooses one. Oracle: the errors that are declared; a cgroup is one of the lines, and
no way out of one; a mount's fields come back from their escapes.
"""

from collections.abc import Mapping

from fuzz.target import require
from supervdsm.host import qemu_conf
from supervdsm.server.peer import unified_cgroup
from supervdsm.storage import mountinfo

PREFIX = 1


def run(data: bytes) -> None:
    readers = (_mountinfo, _cgroup, _qemu_conf)
    readers[(data[0] if data else 0) % len(readers)](data[1:])


def _mountinfo(data: bytes) -> None:
    line = data.decode("utf-8", "surrogateescape")
    try:
        mount = mountinfo.parse(line)
    except (ValueError, IndexError, OverflowError):
        return  # the kernel writes no such line; see `seeds` for those that it writes
    require(" " not in mount.fs_type or "\\040" in line, "a blank from nowhere")
    escaped = line.rstrip("\n").split(" ")
    require(len(escaped) >= 9, "fields from nowhere")
    require("\\" in escaped[4] or mount.mount_point == escaped[4], "another mount point")


def _cgroup(data: bytes) -> None:
    text = data.decode("utf-8", "backslashreplace")
    group = unified_cgroup(text)
    require(".." not in group.split("/"), "a way out of a group")
    require("\n" not in group, "two lines")
    require(not group or f"0::{group}" in text.split("\n"), "a group from nowhere")


def _qemu_conf(data: bytes) -> None:
    try:
        settings = qemu_conf.parse(data.decode("utf-8", "replace"))
    except qemu_conf.SyntaxFault as fault:
        require(len(str(fault)) < 200, "an error that repeats the input")
        return
    for key, values in settings.items():
        require(key[0].isalpha() or key[0] == "_", "a key that is none")
        require(all(isinstance(value, str) for value in values), "a value that is no text")


def seeds() -> Mapping[str, bytes]:
    return {
        "mount": b"\x0036 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 - ext3 /dev/root rw\n",
        "nfs": b"\x00101 26 0:45 / /rhev/data-center/mnt/s:_p rw shared:1 - nfs4 s:/p rw\n",
        "cgroup": b"\x010::/vdsm.slice/vdsm.service/libpod-payload-1\n",
        "hybrid": b"\x0112:pids:/x\n0::/vdsm.service\n0::/../other\n",
        "qemu": b'\x02# c\nuser = "qemu"\n\nlist = [ "a", # c\n \'b\', 3 ]\nn=-1 # x\n',
        "lines": b'\x02s = """a\nb"""\n',
        "broken": b'\x02key = "a\n',
    }
