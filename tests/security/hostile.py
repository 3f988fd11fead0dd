# SPDX-License-Identifier: GPL-2.0-or-later
"""What a compromised vdsm would put into each argument, and what may come back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import islice
from typing import Any, Final

from security.verbs import TARGET, Argument, Kind, Shape, arguments, good, kind, kinds, replaced

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

_ATTRIBUTES: Final = (
    *("nic", "bonding", "vlan", "bridged", "mtu", "stp", "defaultRoute", "bootproto", "ipaddr"),
    *("netmask", "gateway", "ipv6addr", "ipv6gateway", "ipv6autoconf", "dhcpv6", "switch"),
    *("nameservers", "hostQos", "custom", "prefix", "remove", "hooks", "__class__", "exec"),
)


class About(Enum):
    """What is wrong with a call."""

    TYPE = "typed"
    PATH = "path"
    NAME = "name"
    NUMBER = "number"


@dataclass(frozen=True)
class Attack:
    """One call: `field` is what a refusal must name; empty where a part of it is named."""

    verb: str
    about: About
    parameters: dict[str, Any]
    field: str
    may_pass: bool = False
    """The text is only compared: an answer is no breach, if it tells and changes nothing."""

    @property
    def malformed(self) -> bool:
        """Whether it has a lone surrogate: that is no text, so the whole message is none."""
        text = json.dumps(self.parameters, ensure_ascii=False)
        return any("\ud800" <= each <= "\udfff" for each in text)


@cache
def abouts(verb: str) -> frozenset[About]:
    """Return what is wrong with the calls of `attacks`."""
    return frozenset(attack.about for attack in attacks(verb))


def attacks(verb: str) -> Iterator[Attack]:
    """Yield all hostile calls of a verb."""
    for name, value in (("no such argument", 1), ("flowId", LONG), ("flowId", ["x"])):
        yield Attack(verb, About.TYPE, {**good(verb), name: value}, name)
    for argument in arguments(verb):
        for wrong in WRONG_TYPES[argument.shape]:
            yield Attack(verb, About.TYPE, replaced(argument, wrong), argument.field)
        match argument.shape:
            case Shape.NUMBER:
                passes = argument.name == "seen"  # any number is a time
                for number in NUMBERS:
                    whole = replaced(argument, number)
                    yield Attack(verb, About.NUMBER, whole, argument.field, passes)
            case Shape.TEXT:
                yield from _texts(argument)
    if Kind.REQUEST in kinds(verb):
        # One code reads the requests of both verbs. Each call reads the kernel: they take a while.
        yield from islice(_requests(verb), 0, None, 4 if verb == "network.PlanNetworks" else 1)


def _texts(argument: Argument) -> Iterator[Attack]:
    of = kind(argument)
    more = {Kind.SYSFS: SYSFS, Kind.SOURCE: SOURCES}.get(of, ())
    values = [(About.PATH, value) for value in (*PATHS, *more)]
    values += [(About.NAME, value) for value in NAMES]
    if of is Kind.OPTIONS:
        values += [(About.NAME, value) for value in OPTIONS]
        values.remove((About.PATH, ""))  # no option is asked for
    if of is Kind.PATH:
        # Fuser compares the text with /proc and touches no file.
        # ValidateAccess may look at anything of vdsm's own, also at a socket.
        verb = argument.verb
        for name in PLANTS:
            whole = replaced(argument, f"{PLANTED}/{name}")
            passes = verb == "storage.Fuser" or (verb, name) == ("storage.ValidateAccess", "socket")
            yield Attack(verb, About.PATH, whole, argument.field, passes)
    for about, value in values:
        whole = replaced(argument, value)
        yield Attack(argument.verb, about, whole, argument.field, of is Kind.COMPARED)


def _requests(verb: str) -> Iterator[Attack]:
    """Networks and bonds on a NIC that is not there: whatever else is wrong, nothing may happen."""
    values = [(About.PATH, each) for each in PATHS] + [(About.NAME, each) for each in NAMES]
    for about, value in values:
        for parts in _named(value):
            yield Attack(verb, about, {**good(verb), **parts}, "")
    anything: list[tuple[About, object]] = [*values, *((About.NUMBER, each) for each in NUMBERS)]
    anything += [(About.TYPE, each) for each in ([], [[]], {"a": {"b": "c"}})]
    for which, name in enumerate(_ATTRIBUTES):
        for about, any_value in anything[which % 8 :: 8]:
            network = {"nic": "nonic", "vlan": 7, name: any_value}
            yield Attack(verb, about, {**good(verb), "networks": {"net7": network}}, "")
    for about, any_value in anything:
        network = {"net7": {"nic": "nonic"}}
        for parts in (
            {"networks": {"net7": any_value}},
            {"bondings": {"bond7": any_value}},
            {"networks": network, "options": {"connectivityCheck": any_value}},
            {"networks": network, "options": {"connectivityTimeout": any_value}},
        ):
            yield Attack(verb, about, {**good(verb), **parts}, "")


def _named(value: str) -> Iterator[dict[str, object]]:
    yield {"networks": {value: {"nic": "nonic"}}}
    yield {"networks": {value: {"remove": True}}}
    yield {"bondings": {value: {"nics": ["nonic", "nonic2"]}}}
    yield {"bondings": {"bond7": {"nics": ["nonic", value]}}}
    yield {"bondings": {"bond7": {"nics": ["nonic"], "options": f"mode=1 {value}"}}}
    custom = {"bridge_opts": f"group_fwd_mask={value}"}
    yield {"networks": {"net7": {"nic": "nonic", "custom": custom}}}
    yield {"networks": {"net7": {"nic": "nonic", "nameservers": [value]}}}


PLANTED: Final = f"{TARGET}-planted"
"""A directory that vdsm fills with things that are not what they seem, see `attacks/plant.py`."""

PLANTS: Final = ("link", "link/attack", "up", "magic", "socket", "file/x", "loop", "dangling")
