# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are: the paths of pools, domains, images and volumes. Layout: upstream-vdsm 5.

Paths in a domain are relative to the domain's directory (`<mount>/<domain uuid>`), as
`vdsm.storage.files.Files` takes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vdsm_contract.paths import DATA_CENTER, PREPARED_DIR

# --- in a domain ----------------------------------------------------------------------------------

DOM_MD: Final = "dom_md"
METADATA: Final = f"{DOM_MD}/metadata"
IDS: Final = f"{DOM_MD}/ids"
LEASES: Final = f"{DOM_MD}/leases"
INBOX: Final = f"{DOM_MD}/inbox"
OUTBOX: Final = f"{DOM_MD}/outbox"
XLEASES: Final = f"{DOM_MD}/xleases"
IMAGES: Final = "images"
MASTER: Final = "master"
TASKS: Final = f"{MASTER}/tasks"
VMS: Final = f"{MASTER}/vms"

META_SUFFIX: Final = ".meta"
LEASE_SUFFIX: Final = ".lease"
VOLATILE_SUFFIX: Final = f"{META_SUFFIX}.volatile"
"""Metadata of a volume that a host is making which need not be the SPM: as long as they have this
name, what there is of the volume is garbage."""

REMOVED_IMAGE_PREFIX: Final = "_remove_me_"
"""An image directory is renamed to this and its uuid before its files are removed: whoever finds
one after a crash goes on removing."""

FILE_MODE: Final = 0o660
DIRECTORY_MODE: Final = 0o775


def image(image_uuid: str) -> str:
    return f"{IMAGES}/{image_uuid}"


def volume(image_uuid: str, volume_uuid: str) -> str:
    return f"{IMAGES}/{image_uuid}/{volume_uuid}"


def volume_meta(image_uuid: str, volume_uuid: str) -> str:
    return volume(image_uuid, volume_uuid) + META_SUFFIX


def volume_volatile(image_uuid: str, volume_uuid: str) -> str:
    return volume(image_uuid, volume_uuid) + VOLATILE_SUFFIX


def volume_lease(image_uuid: str, volume_uuid: str) -> str:
    return volume(image_uuid, volume_uuid) + LEASE_SUFFIX


def task(task_uuid: str) -> str:
    return f"{TASKS}/{task_uuid}"


# --- on the host ----------------------------------------------------------------------------------

MASTER_LINK: Final = "mastersd"


def pool(pool_uuid: str, root: Path = DATA_CENTER) -> Path:
    """The directory of a connected pool, with a link for each of its domains and for the master."""
    return root / pool_uuid


def domain_link(pool_uuid: str, domain_uuid: str, root: Path = DATA_CENTER) -> Path:
    return root / pool_uuid / domain_uuid


def prepared_image(domain_uuid: str, image_uuid: str, root: Path = PREPARED_DIR) -> Path:
    return root / domain_uuid / image_uuid
