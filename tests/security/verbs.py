# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract's verbs as an attacker sees them: each argument, what kind of text it takes, and a
call that is good but for one argument.

The verbs and the types of their arguments come from the declarations. What a text *means* is said
here, once for each; a verb with a text of which nothing is said is an error, see
`tests/unit/security`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import inspect

from vdsm_contract.declare import Verb, camel
from vdsm_contract.interfaces import ALL
from vdsm_contract.version import CONTRACT_VERSION

SETTINGS: Final = ("host.KsmTune", "host.HugepagesAlloc", "network.ChangeNumvfs")
"""Verbs that write into sysfs, which a test host has read-only: that they fail there shows nothing.
They are attacked over a tree that stands for it, too."""

PREFIX: Final = "org.ovirt.supervdsm."

VERBS: Final[dict[str, Verb]] = {
    verb.method.removeprefix(PREFIX): verb for interface in ALL for verb in interface.VERBS.values()
}
"""All verbs, such as `storage.Mount`."""

TARGET: Final = "/rhev/data-center/mnt/attack"
SOURCE: Final = "/srv/attack"
"""A directory of the host that vdsm may bind."""

NICS: Final = ("veth_att0", "veth_att1", "veth_att2")
"""Of the test host, see `security.ground`: for a network, for a bond, and below BRIDGE."""
BRIDGE: Final = "attacked"
"""A network with a bridge, which is there."""
TAP: Final = "tap_att"
FOREIGN: Final = "foreign_att"
"""A bridge that is no network's."""
LEADS_BACK: Final = "far_att2"
"""A veth whose other end is a port of BRIDGE."""


PCI_ADDRESS: Final = "ffff:ff:1f.7"
"""Of no device: no test host has one with virtual functions."""


class Shape(Enum):
    """What the declaration says that an argument is."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    TREE = "tree"
    """Any JSON: what is in it is known to the verb alone."""


@dataclass(frozen=True)
class Argument:
    """A leaf of a verb's arguments. `path` is as on the wire; `[]` stands for each item."""

    verb: str
    path: tuple[str, ...]
    shape: Shape

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def field(self) -> str:
        """The argument that an error must name."""
        return self.path[0]


class Kind(Enum):
    """What a text is taken for."""

    PATH = "a path below /rhev/data-center"
    SOURCE = "the source of a mount"
    SYSFS = "a file of sysfs, by a pattern"
    NAME = "the name of a device or of a network"
    CHOICE = "a word of a closed list"
    KEY = "a name by a pattern, which is only compared"
    OPTIONS = "options of a closed list"
    REQUEST = "networks and bonds"
    COMPARED = "only compared"


_TEXTS: Final[dict[str, Kind]] = {
    "service.Hello contract": Kind.CHOICE,
    "host.HugepagesAlloc path": Kind.SYSFS,
    "host.CheckQemuConfContains key": Kind.KEY,
    "host.CheckQemuConfContains value": Kind.COMPARED,
    "storage.Mount fsSpec": Kind.SOURCE,
    "storage.Mount fsFile": Kind.PATH,
    "storage.Mount mntOpts": Kind.OPTIONS,
    "storage.Mount vfsType": Kind.CHOICE,
    "storage.Umount fsFile": Kind.PATH,
    "storage.Fuser fsFile": Kind.PATH,
    "storage.ValidateAccess user": Kind.CHOICE,
    "storage.ValidateAccess groups.[]": Kind.CHOICE,
    "storage.ValidateAccess targetPath": Kind.PATH,
    "storage.SanlockDirectDump path": Kind.PATH,
    "network.WatchLinks cursor": Kind.COMPARED,
    **{
        f"network.{verb} {name}": Kind.REQUEST
        for verb in ("SetupNetworks", "PlanNetworks")
        for name in ("networks", "bondings", "options")
    },
    "network.SetPortMirroring network": Kind.NAME,
    "network.SetPortMirroring target": Kind.NAME,
    "network.UnsetPortMirroring network": Kind.NAME,
    "network.UnsetPortMirroring target": Kind.COMPARED,
    "network.SetRpFilterLoose device": Kind.NAME,
    "network.SetRpFilterStrict device": Kind.NAME,
    "network.ChangeNumvfs pciPath": Kind.NAME,
    "network.GetLldpInfo devices.[]": Kind.COMPARED,
}

_NETWORK: Final[dict[str, object]] = {
    "nic": NICS[0],
    "vlan": 7,
    "bridged": True,
    "mtu": 1500,
    "stp": False,
    "defaultRoute": False,
    "bootproto": "none",
    "ipaddr": "198.51.100.7",
    "netmask": "255.255.255.0",
    "gateway": "198.51.100.1",
    "ipv6addr": "2001:db8::7/64",
    "ipv6gateway": "2001:db8::1",
    "switch": "legacy",
}
_BOND: Final[dict[str, object]] = {
    "nics": [NICS[1]],
    "options": "mode=1 miimon=100",
    "hwaddr": "02:00:00:00:00:07",
}
_CHANGE: Final[dict[str, object]] = {
    "networks": {"net7": _NETWORK},
    "bondings": {"bond7": _BOND},
    "options": {"connectivityCheck": False},
}

_GOOD: Final[dict[str, dict[str, object]]] = {
    "service.Hello": {"contract": CONTRACT_VERSION},
    "host.KsmTune": {"tuning": {}},
    "host.HugepagesAlloc": {
        "count": 0,
        "path": "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    },
    "host.CheckQemuConfContains": {"key": "vnc_tls", "value": "1"},
    "storage.Mount": {"fsSpec": SOURCE, "fsFile": TARGET, "mntOpts": "ro", "vfsType": "none"},
    "storage.Umount": {"fsFile": TARGET},
    "storage.Fuser": {"fsFile": TARGET},
    "storage.ValidateAccess": {"user": "vdsm", "groups": ["kvm"], "targetPath": TARGET, "perms": 5},
    "storage.SanlockDirectDump": {"path": f"{TARGET}/ids"},
    "network.WatchLinks": {"cursor": "none"},
    "network.SetupNetworks": _CHANGE,
    "network.PlanNetworks": _CHANGE,
    "network.ConfirmConnectivity": {"seen": 0},
    "network.SetPortMirroring": {"network": BRIDGE, "target": TAP},
    "network.UnsetPortMirroring": {"network": BRIDGE, "target": TAP},
    "network.SetRpFilterLoose": {"device": NICS[1]},
    "network.SetRpFilterStrict": {"device": NICS[1]},
    "network.ChangeNumvfs": {"pciPath": PCI_ADDRESS, "numvfs": 0},
    "network.GetLldpInfo": {"devices": []},
}


def good(verb: str) -> dict[str, Any]:
    """Return arguments that pass, once `security.ground` is laid, or over a tree that stands for
    sysfs: a test makes each of these calls."""
    copy: dict[str, Any] = json.loads(json.dumps(_GOOD.get(verb, {})))
    return copy


def arguments(verb: str) -> list[Argument]:
    """Return all leaves of a verb's arguments, from its declaration, without `flowId`."""
    info = inspect.type_info(VERBS[verb].parameters)
    assert isinstance(info, inspect.StructType)
    return [
        Argument(verb, path, shape)
        for field in info.fields
        if field.name != "flow_id"
        for path, shape in _leaves(field.type, (camel(field.name),))
    ]


def kind(argument: Argument) -> Kind:
    """Return what a text is taken for. Raises KeyError for one of which nothing was said."""
    return _TEXTS[f"{argument.verb} {argument.name}"]


def texts(verb: str) -> list[Argument]:
    """Return the leaves through which a verb takes text."""
    return [each for each in arguments(verb) if each.shape in (Shape.TEXT, Shape.TREE)]


def kinds(verb: str) -> set[Kind]:
    """Return the kinds of all texts that a verb takes."""
    return {kind(argument) for argument in texts(verb)}


def said() -> set[str]:
    """Return the verb and argument of each text that something is said of."""
    return set(_TEXTS)


def replaced(argument: Argument, value: object) -> dict[str, Any]:
    """Return good arguments with `value` in the place of one leaf."""
    whole = good(argument.verb)
    *way, last = argument.path
    if last == "[]":
        *way, last = way
        value = [value]
    inner = whole
    for name in way:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return whole


def message(verb: str, parameters: object) -> bytes:
    """Return a call as it goes over the wire, with its NUL."""
    call = {"method": PREFIX + verb, "parameters": parameters}
    return json.dumps(call).encode() + b"\0"


HELLO: Final = message("service.Hello", {"contract": CONTRACT_VERSION})


def _leaves(spec: inspect.Type, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Shape]]:
    match spec:
        case inspect.StrType():
            yield path, Shape.TEXT
        case inspect.BoolType():
            yield path, Shape.FLAG
        case inspect.IntType() | inspect.FloatType():
            yield path, Shape.NUMBER
        case inspect.ListType(item_type=item):
            yield from _leaves(item, (*path, "[]"))
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from _leaves(field.type, (*path, field.encode_name))
        case inspect.UnionType(types=types):
            for each in types:
                yield from _leaves(each, path)
        case inspect.NoneType():
            return
        case inspect.CustomType(cls=cls) if cls is msgspec.UnsetType:
            return
        case inspect.DictType():
            yield path, Shape.TREE
        case _:
            raise TypeError(f"{'.'.join(path)}: no attack is known for {spec}")
