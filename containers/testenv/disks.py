# SPDX-License-Identifier: GPL-2.0-or-later
"""The test VM's disks and key: packed once into the cache, never written by a VM."""

import shutil
from pathlib import Path

from testenv import config
from testenv.commands import run
from testenv.locks import locked
from testenv.recipes import vm_recipe
from testenv.report import step
from testenv.tree import built_aside, tree

DISKS = config.CACHE / "disks"
IMAGES_LABEL = "vdsm-images"
_IMAGES_SLACK_MIB = 64


def ssh_key() -> Path:
    """Return the private key that opens every test VM of this machine, made on first use."""
    key = config.CACHE / "ssh" / "id_ed25519"
    with locked(key.parent / ".lock", "another command that makes the key"):
        if not key.exists():
            key.parent.chmod(0o700)
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test VMs", "-f", key)
    return key


def system_disk() -> Path:
    """Return the directory with ``root.raw``, ``vmlinuz`` and ``initrd``."""
    recipe = vm_recipe(ssh_key().with_suffix(".pub").read_text().strip())
    target = DISKS / f"{recipe.name}-{recipe.digest()}"
    if target.is_dir():
        return target
    source = tree(recipe)
    with locked(DISKS / ".system.lock", "another command that packs the disk"):
        if not target.is_dir():
            with (
                step("packing the disk of the test VM (about 10 s)"),
                built_aside(target) as unfinished,
            ):
                unfinished.mkdir()
                for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
                    (kernel_part,) = (source / "boot").glob(pattern)
                    shutil.copyfile(kernel_part, unfinished / name)
                _pack(source, unfinished / "root.raw", "root", config.VM_DISK_GIB * 1024)
    return target


def images_disk(store: Path) -> Path:
    """Return the image store as a disk, packed once per store (a store never changes)."""
    target = DISKS / f"images-{store.name}.raw"
    if target.exists():
        return target
    with locked(DISKS / ".images.lock", "another command that packs the images"):
        if not target.exists():
            with step("packing the images for the test VM"), built_aside(target) as unfinished:
                _pack(store, unfinished, IMAGES_LABEL, _mebibytes(store) * 5 // 4)
            for old in DISKS.glob("images-*.raw"):
                if old != target:  # a VM that still has it open keeps its content
                    old.unlink()
    return target


def _mebibytes(directory: Path) -> int:
    used = run("du", "--summarize", "--block-size=1M", directory).stdout
    return int(used.split()[0]) + _IMAGES_SLACK_MIB


def _pack(source: Path, target: Path, label: str, mebibytes: int) -> None:
    run("mke2fs", "-q", "-t", "ext4", "-L", label, "-m", "0", "-d", source, target, f"{mebibytes}M")
