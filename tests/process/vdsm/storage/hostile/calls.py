# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls as an engine makes them, out of the schema: one of each verb, and every place in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from process.vdsm.storage.hostile.world import (
    BASE,
    DATA,
    IMAGE,
    LEAF,
    OTHER_IMAGE,
    POOL,
    SINGLE,
    UNKNOWN,
)
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.schema import Verb
from vdsm.jsonrpc.typespec import Enum, ListOf, MapOf, Named, Object, Raw, Scalar, Type, Union

NAMESPACES = ("Image", "Lease", "SDM", "StorageDomain", "StoragePool", "Task", "Volume")

# Of block storage, of libguestfs, and what needs a network.
NOT_HERE = {
    "Image.download",
    "Image.upload",
    "SDM.move_domain_device",
    "SDM.reduce_domain",
    "SDM.sparsify_volume",
    "StorageDomain.extend",
    "StorageDomain.resizePV",
    "StoragePool.reduceVolume",
}

Place = tuple[str | int, ...]
"""The way to a value in the parameters: names of members, indexes of arrays."""

_VALUES: dict[str, Any] = {
    "storagepoolID": POOL,
    "storagedomainID": DATA,
    "sd_id": DATA,
    "dstSdUUID": DATA,
    "masterSdUUID": DATA,
    "oldMasterUUID": DATA,
    "newMasterUUID": DATA,
    "imageID": IMAGE,
    "img_id": IMAGE,
    "volumeID": LEAF,
    "leafVolID": LEAF,
    "vol_id": LEAF,
    "top_id": LEAF,
    "base_id": BASE,
    "size": "1048576",
    "newSize": "1048576",
    "initialSize": "1048576",
    "volFormat": "COW",
    "hostID": 1,
    "hostId": 1,
    "domainType": "LOCALFS",
    "domainClass": "1",
    "version": 5,
    "maxHosts": 250,
    "blockSize": 512,
    "prevID": -1,
    "prevLver": "-1",
    "maxHostID": 250,
    "domVersion": "5",
    "targetDomVersion": 5,
    "connection": "/there/is/none",
    "remotePath": "/data",
    "endpoint_type": "div",
}


# What a verb takes beyond what its schema says.
_MEMBERS: dict[str, dict[str, Any]] = {
    "SDM.copy_data": {"destination": {"sd_id": DATA, "img_id": OTHER_IMAGE, "vol_id": SINGLE}},
    "SDM.update_volume": {"vol_attr": {"description": "text"}},
    "SDM.create_volume": {
        "vol_info": {
            "sd_id": DATA,
            "img_id": IMAGE,
            "vol_id": UNKNOWN,
            "virtual_size": 1 << 20,
            "vol_format": "COW",
            "parent": {"img_id": IMAGE, "vol_id": LEAF},
        }
    },
}
_LEFT_OUT = {"Volume.create": ("initialSize",)}


def verbs() -> list[Verb]:
    """The verbs of storage that this vdsm has."""
    found = schema.load().verbs.values()
    there = [verb for verb in found if verb.name.partition(".")[0] in NAMESPACES]
    return [verb for verb in there if verb.name not in NOT_HERE]


def parameters(verb: Verb) -> dict[str, Any]:
    """A call that is right by the schema, with what may be left out."""
    params = {each.name: _value(each.name, each.type) for each in verb.parameters}
    params |= _MEMBERS.get(verb.name, {})
    for name in _LEFT_OUT.get(verb.name, ()):
        del params[name]
    return params


def places(verb: Verb, kind: str) -> Iterator[Place]:
    """Every place of the call that `parameters` makes which is of the type of this name."""
    for each in verb.parameters:
        if each.name not in _LEFT_OUT.get(verb.name, ()):
            yield from _places((each.name,), each.type, kind)


def with_value(params: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """The same call with another value at one place; `place` may end with KEY."""
    changed: Any = copy.deepcopy(dict(params))
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    if place[-1] == KEY:
        (old,) = inner
        inner[value] = inner.pop(old)
    else:
        inner[place[-1]] = value
    result: dict[str, Any] = changed
    return result


KEY = "the key"


def _value(name: str, spec: Type) -> Any:
    if name in _VALUES:
        return _VALUES[name]
    match spec:
        case Named(name="UUID"):
            return UNKNOWN
        case Named():
            return _value("", schema.load().types[spec.name])
        case Scalar(name="string"):
            return "text"
        case Scalar(name="boolean"):
            return False
        case Scalar(name="dict" | "object"):
            return {}
        case Scalar():
            return 1
        case ListOf():
            return [_value("", spec.item)]
        case MapOf():
            return {_value("", spec.key): _value("", spec.value)}
        case Enum():
            return spec.words[0]
        case Union():
            return _value("", spec.alternatives[0])
        case Object():
            return {each.name: _value(each.name, each.type) for each in spec.members}
        case Raw():
            return _value(name, spec.type)


def _places(here: Place, spec: Type, kind: str) -> Iterator[Place]:
    if spec in (Named(kind), Scalar(kind)):
        yield here
        return
    match spec:
        case Named():
            yield from _places(here, schema.load().types[spec.name], kind)
        case ListOf():
            yield from _places((*here, 0), spec.item, kind)
        case MapOf():
            if spec.key in (Named(kind), Scalar(kind)):
                yield (*here, KEY)
        case Union():
            yield from _places(here, spec.alternatives[0], kind)
        case Object():
            for each in spec.members:
                yield from _places((*here, each.name), each.type, kind)
        case Raw():
            yield from _places(here, spec.type, kind)
        case _:
            return
