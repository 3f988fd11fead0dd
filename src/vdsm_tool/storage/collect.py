# SPDX-License-Identifier: GPL-2.0-or-later
"""Gathers what `vdsm-tool storage` shows.

Nothing here touches a mount, so that a dead server hangs nobody.
"""

from collections.abc import Mapping
from typing import Final

from vdsm_contract.paths import MOUNT_DIR
from vdsm_tool.host import Host
from vdsm_tool.state.vdsm import CallFailed
from vdsm_tool.storage import model
from vdsm_tool.storage.ask import Vdsm

_NO_PARENT: Final = "00000000-0000-0000-0000-000000000000"


def connections(host: Host, known: list[model.Domain]) -> list[model.Connection]:
    """Return the mounts of storage servers, with those of the `known` domains that are on them."""
    found = []
    for mount in host.mounts():
        if mount.target.parent != MOUNT_DIR:
            continue
        here = [one.uuid for one in known if _is_at(one, mount.source, str(mount.target))]
        found.append(
            model.Connection(mount.source, str(mount.target), mount.fstype, mount.read_only, here)
        )
    return found


def _is_at(domain: model.Domain, source: str, target: str) -> bool:
    """Whether a domain was made at a mount. That of a local directory has its disk as source."""
    path = domain.remote_path.rstrip("/")
    named = f"{MOUNT_DIR}/{path.replace('_', '__').replace('/', '_')}"
    return bool(path) and (path == source.rstrip("/") or named == target)


def domains(vdsm: Vdsm) -> list[model.Domain]:
    """Return the domains that vdsm finds, and those that it watches and does not find."""
    watched = vdsm.mapping("Host.getStorageRepoStats")
    uuids = sorted({*vdsm.ids("Host.getStorageDomains"), *watched})
    return [_domain(vdsm, uuid, watched.get(uuid)) for uuid in uuids]


def _domain(vdsm: Vdsm, uuid: str, vitals: object) -> model.Domain:
    try:
        info = vdsm.mapping("StorageDomain.getInfo", storagedomainID=uuid)
        stats = vdsm.mapping("StorageDomain.getStats", storagedomainID=uuid)
    except CallFailed as error:
        return model.Domain(uuid, problem=str(error))
    return model.domain(uuid, info, stats, vitals)


def volumes(vdsm: Vdsm, domain: str) -> list[model.Volume]:
    """Return the volumes of a domain, by image and then by id. Raises CallFailed."""
    dump = vdsm.mapping("StorageDomain.dump", sd_id=domain)
    found = dump.get("volumes", {})
    listed = found.items() if isinstance(found, Mapping) else ()
    every = [model.volume(str(uuid), info) for uuid, info in listed if isinstance(info, Mapping)]
    return sorted(every, key=lambda one: (one.image, one.uuid))


def chains(volumes: list[model.Volume]) -> dict[str, list[tuple[int, model.Volume]]]:
    """Return each image's volumes as a tree: (depth, volume), a parent before its children.

    A volume whose parent is not in its image begins a tree of its own, as one above a template
    does; so does one in a loop, which no root leads to.
    """
    images: dict[str, list[model.Volume]] = {}
    for one in volumes:
        images.setdefault(one.image, []).append(one)
    return {image: _tree(members) for image, members in images.items()}


def _tree(members: list[model.Volume]) -> list[tuple[int, model.Volume]]:
    here = {one.uuid for one in members}
    children: dict[str, list[model.Volume]] = {}
    for one in members:
        children.setdefault(one.parent, []).append(one)
    roots = [one for one in members if one.parent == _NO_PARENT or one.parent not in here]
    tree: list[tuple[int, model.Volume]] = []
    shown: set[str] = set()
    for root in [*roots, *members]:
        pending = [(0, root)]
        while pending:
            depth, one = pending.pop()
            if one.uuid in shown:
                continue
            shown.add(one.uuid)
            tree.append((depth, one))
            pending += [(depth + 1, child) for child in reversed(children.get(one.uuid, []))]
    return tree


def tasks(vdsm: Vdsm) -> list[model.Task]:
    """Return the tasks that vdsm knows, by id."""
    infos = vdsm.mapping("Host.getAllTasksInfo")
    statuses = vdsm.mapping("Host.getAllTasksStatuses")
    uuids = sorted({*infos, *statuses})
    return [model.task(uuid, infos.get(uuid), statuses.get(uuid)) for uuid in uuids]
