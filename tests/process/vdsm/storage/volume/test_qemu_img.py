# SPDX-License-Identifier: GPL-2.0-or-later
"""The real qemu-img: what it makes, what it says of it, and what it is kept from."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from vdsm.storage import errors
from vdsm.storage.model import MIB, Allocation, Format
from vdsm.storage.volume.qcow2 import read_header
from vdsm.storage.volume.qemu_img import Backing, CommandError, Image, QemuImg, tree

DATA = b"guest data" * 1000


@pytest.fixture
def qemu_img() -> QemuImg:
    return QemuImg(timeout_s=120)


class Disk:
    """A raw base with data, and a qcow2 image on it."""

    def __init__(self, root: Path, qemu_img: QemuImg) -> None:
        self.root = root
        self.base = Image(root / "base", Format.RAW)
        self.top = Image(root / "top", Format.COW)
        self.base.path.write_bytes(DATA.ljust(4 * MIB, b"\0"))
        qemu_img.create(self.top, 4 * MIB, backing=Backing("base", Format.RAW))
        self.chain = [self.top, self.base]

    def image(self, name: str, format: Format = Format.COW) -> Image:  # noqa: A002
        return Image(self.root / name, format)


@pytest.fixture
def disk(tmp_path: Path, qemu_img: QemuImg) -> Disk:
    return Disk(tmp_path, qemu_img)


def test_an_image_says_what_it_was_made_as(qemu_img: QemuImg, disk: Disk) -> None:
    for info in (qemu_img.info(disk.top), qemu_img.info_untrusted(disk.top)):
        assert (info.format, info.virtual_size, info.compat) == ("qcow2", 4 * MIB, "1.1")
        assert (info.backing, info.backing_format) == ("base", "raw")
        assert not info.corrupt
    assert read_header(disk.top.path.read_bytes()).backing == "base"
    assert qemu_img.check(disk.top).corruptions == 0


def test_older_images_are_made_and_amended(qemu_img: QemuImg, disk: Disk) -> None:
    old = disk.image("old")
    qemu_img.create(old, MIB, compat="0.10")
    assert qemu_img.info(old).compat == "0.10"
    qemu_img.amend(old.path, "1.1")
    qemu_img.resize(old, 2 * MIB)
    info = qemu_img.info(old)
    assert (info.compat, info.virtual_size) == ("1.1", 2 * MIB)


@pytest.mark.parametrize("preallocation", Allocation)
def test_a_chain_is_copied_into_one_image(
    qemu_img: QemuImg, disk: Disk, preallocation: Allocation
) -> None:
    for wanted in Format:
        copied = disk.image(f"copy.{wanted}", wanted)
        copy = qemu_img.convert(disk.chain, copied, preallocation=preallocation)
        copy.run_checked()
        assert copy.progress == 100.0
        assert qemu_img.compare([copied], disk.chain)
    assert not qemu_img.compare([copied], [disk.top])
    assert disk.image("copy.RAW").path.read_bytes() == disk.base.path.read_bytes()


def test_a_copy_goes_into_what_is_there(qemu_img: QemuImg, disk: Disk) -> None:
    there = disk.image("there")
    qemu_img.create(there, 4 * MIB)
    qemu_img.convert(disk.chain, there, create=False, target_is_zero=True).run_checked()
    assert qemu_img.compare([there], disk.chain)


def test_the_top_alone_is_copied_onto_a_base(qemu_img: QemuImg, disk: Disk) -> None:
    copied = disk.image("copy")
    qemu_img.convert(disk.chain, copied, backing=Backing("base", Format.RAW)).run_checked()
    assert qemu_img.info(copied).backing == "base"
    assert qemu_img.compare([copied, disk.base], disk.chain)
    assert qemu_img.measure([copied], Format.COW) == qemu_img.measure([disk.top], Format.COW)


def test_images_are_merged_and_rebased(qemu_img: QemuImg, disk: Disk) -> None:
    leaf = disk.image("leaf")
    qemu_img.create(leaf, 4 * MIB, backing=Backing("top", Format.COW))
    qemu_img.rebase(leaf.path, Backing("base", Format.RAW)).run_checked()
    assert qemu_img.info(leaf).backing == "base"
    qemu_img.rebase(leaf.path, Backing("top", Format.COW), unsafe=True).run_checked()
    assert qemu_img.info(leaf).backing == "top"
    qemu_img.commit(leaf.path, disk.base.path).run_checked()
    qemu_img.rebase(disk.top.path, None).run_checked()
    assert qemu_img.info(disk.top).backing is None
    assert qemu_img.compare([disk.top], [disk.base])


def test_sizes_in_other_formats_are_measured(qemu_img: QemuImg, disk: Disk) -> None:
    assert qemu_img.measure(disk.chain, Format.RAW).required == 4 * MIB
    below = qemu_img.measure(disk.chain, Format.COW).required
    assert qemu_img.measure([disk.top], Format.COW).required < below


def test_bitmaps_are_kept(qemu_img: QemuImg, disk: Disk) -> None:
    qemu_img.bitmap_add(disk.top.path, "one")
    qemu_img.bitmap_add(disk.top.path, "two", granularity=131072, enabled=False)
    found = {each.name: each for each in qemu_img.info(disk.top).bitmaps}
    assert found["one"].flags == ["auto"]
    assert (found["two"].granularity, found["two"].flags) == (131072, [])
    qemu_img.bitmap_merge(disk.top.path, "one", disk.top.path, "two")
    qemu_img.bitmap_clear(disk.top.path, "two")
    qemu_img.bitmap_remove(disk.top.path, "two")
    assert [each.name for each in qemu_img.info(disk.top).bitmaps] == ["one"]


def test_what_a_guest_wrote_is_never_taken_for_a_header(qemu_img: QemuImg, disk: Disk) -> None:
    """A guest makes its raw disk look like an image on another file of the host."""
    secret = disk.root / "secret"
    secret.write_bytes(b"secret".ljust(4 * MIB, b"\0"))
    evil = disk.image("evil")
    qemu_img.create(evil, 4 * MIB, backing=Backing("secret", Format.RAW))
    raw = Image(evil.path, Format.RAW)
    copied = disk.image("copy", Format.RAW)
    qemu_img.convert([raw], copied).run_checked()
    assert copied.path.read_bytes()[:4] == b"QFI\xfb"
    alone = disk.image("alone", Format.RAW)
    qemu_img.convert([evil], alone).run_checked()
    assert b"secret" not in alone.path.read_bytes()
    assert json.loads(tree([evil]).removeprefix("json:"))["backing"] is None


def test_a_header_that_asks_for_memory_without_end_fails(qemu_img: QemuImg, disk: Disk) -> None:
    header = bytearray(disk.top.path.read_bytes())
    struct.pack_into(">I", header, 36, 0x7FFFFFFF)  # entries of the L1 table
    disk.top.path.write_bytes(header)
    with pytest.raises(CommandError, match="qemu-img info failed"):
        qemu_img.info_untrusted(disk.top)


def test_a_full_disk_is_ovirts_error(qemu_img: QemuImg, disk: Disk) -> None:
    with pytest.raises(errors.NoSpaceLeft):
        qemu_img.create(Image(Path("/dev/full"), Format.COW), MIB)


def test_what_is_not_there_is_named(qemu_img: QemuImg, disk: Disk) -> None:
    with pytest.raises(CommandError, match=r"no-such-file.*No such file"):
        qemu_img.info(disk.image("no-such-file"))


def test_a_garbled_image_is_a_typed_error(qemu_img: QemuImg, disk: Disk) -> None:
    disk.top.path.write_bytes(b"QFI\xfb" + b"\xff" * 1000)
    for work in (qemu_img.info, qemu_img.info_untrusted, qemu_img.check):
        with pytest.raises(CommandError):
            work(disk.top)
