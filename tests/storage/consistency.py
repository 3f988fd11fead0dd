# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a file domain is whole: every file belongs to a volume, every volume to a legal chain.

It looks at the files alone, with nothing of what made them but the formats. `python -m
storage.consistency DOMAIN_DIRECTORY` prints what is wrong.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vdsm.storage import errors, layout
from vdsm.storage.formats import domain_metadata, task_state, volume_metadata
from vdsm.storage.model import (
    BLANK_UUID,
    Format,
    Legality,
    VolumeMetadata,
    VolumeType,
    is_uuid,
)

_SUFFIXES = ("", layout.META_SUFFIX, layout.LEASE_SUFFIX)


@dataclass(frozen=True)
class Checked:
    """`problems` are sentences; `volumes` are the digests of the data of each "image/volume"."""

    problems: list[str]
    volumes: Mapping[str, str]


def check(domain: Path, *, leases: bool, trusted: Mapping[str, str] | None = None) -> Checked:
    """Looks at a domain. With `leases` each volume has one. A volume whose data has the digest that
    `trusted` has for it was seen to be clean before, and is not given to `qemu-img check`."""
    problems: list[str] = []
    volumes: dict[str, str] = {}
    problems += _dom_md(domain)
    problems += _tasks(domain / layout.TASKS)
    for directory in sorted((domain / layout.IMAGES).iterdir()):
        if is_uuid(directory.name) and directory.is_dir():
            digests = {path.name: _digest(path) for path in directory.iterdir() if _is_data(path)}
            volumes |= {f"{directory.name}/{name}": value for name, value in digests.items()}
            new = {
                name
                for name, value in digests.items()
                if (trusted or {}).get(f"{directory.name}/{name}") != value
            }
            problems += _image(domain, directory, new, leases=leases)
        else:
            problems.append(f"{directory.name} is no image")
    return Checked(problems, volumes)


def _is_data(path: Path) -> bool:
    return is_uuid(path.name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dom_md(domain: Path) -> Iterator[str]:
    for path in (domain / layout.DOM_MD).iterdir():
        if path.name.endswith(".new"):
            yield f"{path} was left by a write"
    try:
        domain_metadata.decode((domain / layout.METADATA).read_bytes(), str(domain))
    except errors.StorageError as error:
        yield str(error)


def _tasks(directory: Path) -> Iterator[str]:
    for place in sorted(directory.iterdir()) if directory.exists() else ():
        if not is_uuid(place.name):
            yield f"{place} was left by a task"
            continue
        for path in place.iterdir():
            if path.name.endswith(".new"):
                yield f"{path} was left by a write"
        file = place / f"{place.name}.task"
        try:
            task = task_state.decode_task(file.read_bytes(), str(file))
        except (OSError, errors.StorageError) as error:
            yield f"task {place.name}: {error}"
        else:
            if not task.state.is_done:
                yield f"task {task.id} ({task.name}) is still {task.state}"


def _image(domain: Path, image: Path, new: Collection[str], *, leases: bool) -> Iterator[str]:
    names = {path.name for path in image.iterdir()}
    uuids = {name for name in names if is_uuid(name)}
    whole = {uuid + suffix for uuid in uuids for suffix in _SUFFIXES}
    for name in sorted(names - whole):
        yield f"{image.name}/{name} belongs to no volume"
    for suffix in _SUFFIXES if leases else _SUFFIXES[:2]:
        for uuid in sorted(uuids):
            if uuid + suffix not in names:
                yield f"{image.name}/{uuid}{suffix} is missing"
    volumes: dict[str, VolumeMetadata] = {}
    for uuid in sorted(uuids & {name.removesuffix(layout.META_SUFFIX) for name in names - uuids}):
        file = image / (uuid + layout.META_SUFFIX)
        try:
            volumes[uuid] = volume_metadata.decode(file.read_bytes(), str(file))
        except errors.StorageError as error:
            yield str(error)
    own = {uuid for uuid, metadata in volumes.items() if metadata.image == image.name}
    if not own:
        yield f"image {image.name} has no volume of its own"
    for uuid, metadata in volumes.items():
        for problem in _volume(domain, image, uuid, volumes):
            yield f"volume {image.name}/{uuid} {problem}"
        if uuid in own and uuid in new:
            yield from _data(image, uuid, metadata)


def _volume(
    domain: Path, image: Path, uuid: str, volumes: Mapping[str, VolumeMetadata]
) -> Iterator[str]:
    metadata = volumes[uuid]
    if metadata.domain != domain.name:
        yield f"is of domain {metadata.domain}"
    if metadata.image != image.name and metadata.volume_type is not VolumeType.SHARED:
        yield f"is of image {metadata.image}"
    if metadata.legality is not Legality.LEGAL:
        yield f"is {metadata.legality}"
    children = [name for name, other in volumes.items() if other.parent == uuid]
    if children and metadata.volume_type is VolumeType.LEAF:
        yield f"is a leaf, and the parent of {children}"
    if not children and metadata.volume_type is VolumeType.INTERNAL:
        yield "is internal, and nobody's parent"
    seen = {uuid}
    parent = metadata.parent if metadata.image == image.name else BLANK_UUID
    while parent != BLANK_UUID:
        if parent in seen or parent not in volumes:
            yield f"has a chain that {'loops' if parent in seen else 'lacks'} {parent}"
            return
        seen.add(parent)
        above = volumes[parent]
        parent = above.parent if above.image == image.name else BLANK_UUID


def _data(image: Path, uuid: str, metadata: VolumeMetadata) -> Iterator[str]:
    """What qemu-img says of a volume's data."""
    path = image / uuid
    if metadata.format is Format.RAW:
        if path.stat().st_size < metadata.capacity:
            yield f"volume {image.name}/{uuid} is smaller than {metadata.capacity}"
        return
    info = _qemu_img("info", "--output=json", "-U", "-f", "qcow2", str(path))
    if info.returncode:
        yield f"volume {image.name}/{uuid}: {info.stderr.strip()}"
        return
    described = json.loads(info.stdout)
    backing = Path(described.get("backing-filename", BLANK_UUID)).name
    if backing != metadata.parent:
        yield f"volume {image.name}/{uuid} is on {backing}, its metadata says {metadata.parent}"
    if described["virtual-size"] != metadata.capacity:
        yield f"volume {image.name}/{uuid} has {described['virtual-size']} bytes"
    checked = _qemu_img("check", "-U", "-f", "qcow2", str(path))
    if checked.returncode:
        yield f"volume {image.name}/{uuid}: {checked.stdout}{checked.stderr}"


def _qemu_img(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["qemu-img", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def main() -> int:
    problems = check(Path(sys.argv[1]), leases="--leases" in sys.argv[2:]).problems
    print("\n".join(problems) or "clean")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
