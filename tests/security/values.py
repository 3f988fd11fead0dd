# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile texts, numbers and values of wrong types, whatever they are put into."""

from typing import Final

from security.verbs import Shape

LONG: Final = "A" * 5000
"""Longer than any path or name."""

PATHS: Final = (
    *("", ".", "..", "/", "//", "/..", "../../etc", "etc/passwd", "/etc", "/etc/passwd"),
    *("/proc/self/root/..", "/proc/1/root/etc", "/proc/self/fd/0", "/proc/self/cwd", "/sys"),
    *("/dev/null", "/dev/mem", "/dev/fd/0", "/dev/shm/x", "/host/etc", "/run/vdsm/svdsm.sock"),
    *("/rhev", "/rhev/", "/rhev/data-center", "/rhev/data-center/", "/rhev/data-center2/x"),
    "/rhev/data-center/../../etc",
    "/rhev/data-center/mnt/../../../etc",
    "/rhev/data-center/./mnt",
    "/rhev/data-center//mnt",
    "//rhev/data-center/mnt",
    "/rhev/data-center/mnt/",
    "/rhev/data-center/mnt/x\0y",
    "/rhev/data-center/mnt/x\ny",
    "/rhev/data-center/mnt/\u202etxt",
    f"/rhev/data-center/mnt/{'n' * 256}",
    f"/rhev/data-center/{'d/' * 2100}x",
    "/rhev/data-center/mnt/\ud800",
)
NAMES: Final = (
    *("\0", "\n", "a\0b", "a\nb", "a b", "a\tb", "-o", "--help", "-", "@", ";id", "|id", "&"),
    *("$(id)", "`id`", "${IFS}", "%s%n", "*", "?", "{a,b}", "~root", "a/b", "nic0/../lo", "\\"),
    *("all", "default", "vdsm.service", "x.mount", "\x1b[2J", "\x7f", "\u202e", "\u2028"),
    *("\uff0e\uff0e\uff0f", "caf\u00e9", "\ud800", "\udcff", "0", "-1", "None", "null", "true"),
    LONG,
)
OPTIONS: Final = (
    *(
        "suid",
        "dev",
        "exec",
        "nosuid,suid",
        "ro,dev",
        "exec,noexec,exec",
        "loop",
        "loop=/dev/loop0",
    ),
    *("remount", "remount,exec", "bind,remount", "user", "users", "owner", "group", "helper=sh"),
    *("X-mount.mkdir", "x-systemd.automount", "X-mount.subdir=../..", "context=x", "fscontext=x"),
    *("lowerdir=/,upperdir=/etc,workdir=/tmp", "shared", "rshared", "move", "rbind", "offset=4"),
    *("uid=0", "gid=0", "umask=0", "logdev=/dev/sda", "journal_path=/etc", "errors=panic", "sb=1"),
    *("mounthost=x", "clientaddr=x", "bg", "ro,,suid", "RO", "ro\0", "ro\nsuid", "ro suid", "-o"),
    *("ro=1", "=", ",=,", "ro;id", LONG),
)
SYSFS: Final = (
    "/sys/kernel/mm/hugepages/hugepages-2048kB/../../ksm/run",
    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages",
    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages\n",
    "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages/",
    "/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages",
    "/sys/devices/system/node/node0/../node0/hugepages/hugepages-2048kB/nr_hugepages",
    "/sys/devices/system/node/node\u0660/hugepages/hugepages-2048kB/nr_hugepages",
    "/sys/kernel/uevent_helper",
    "/sys/power/state",
    "/proc/sys/kernel/core_pattern",
)
SOURCES: Final = (
    *("/dev/sda", "/dev/mapper/control", "/dev/disk/../mem", "/dev/kmsg", "/dev/loop-control"),
    *("/srv/attack/..", "/srv/attack/../attack", "/srv//attack", "/var/lib/vdsm/storage"),
    *("/run/vdsm/storage", "/var/lib/containers", "/usr", "/home/../etc", "tmpfs", "proc", "sysfs"),
    *("-o:/x", "-x:/y", ":/", "a:/../b", "host:relative", "[::1", "h:/x\ny", "//server/share"),
)
"""Of a bind mount: the type is `none` in all of these calls."""
NUMBERS: Final = (*(-1, -(2**31), -(2**63), 2**63, 2**64, 10**30, 1e308, -1e308, 0.5),)
WRONG_TYPES: Final[dict[Shape, tuple[object, ...]]] = {
    Shape.TEXT: (5, True, [], {}, {"__class__": "x"}),
    Shape.NUMBER: ("5", [], {}),
    Shape.FLAG: ("yes", 1, [], None),
    Shape.TREE: ("x", 5, [], None, [[]]),
}
