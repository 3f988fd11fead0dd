# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-img as a child of vdsm: each of its commands that storage needs, with typed results.

A format is always said and never probed: what a guest wrote into a raw volume may look like an
image whose backing file is any file of this host. Where a whole chain is read, it is handed over as
the tree of its nodes, so that no header is asked for the next one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from vdsm.storage import errors
from vdsm.storage.model import GIB, Allocation, Format
from vdsm.storage.volume.child import Child, CommandError, Outcome

__all__ = ["Backing", "Child", "CommandError", "Image", "QemuImg", "qemu_format"]

TIMEOUT_S: Final = 60.0
"""For what reads or writes headers only."""

MEASURE_TIMEOUT_S: Final = 150.0
"""For what looks at all of an image's metadata while an engine waits (180 s) for the answer."""

UNTRUSTED_MEMORY: Final = GIB
UNTRUSTED_CPU_S: Final = 30
"""A hostile header can ask qemu-img for any amount of memory and time. Numbers: upstream-vdsm."""

BITMAP_GRANULARITY: Final = 65536

# What moves data does not disturb the VMs of the host; -t: where the kernel has no such class.
_GENTLY = ("nice", "-n", "19", "ionice", "-c", "3", "-t")
_CHECK_LEAKS, _CHECK_CORRUPT = 3, 2
_NO_SPACE = ("No space left on device", "Disk quota exceeded")
_NAMES = {Format.RAW: "raw", Format.COW: "qcow2"}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Image:
    """A file and what is in it. `path` is absolute."""

    path: Path
    format: Format


@dataclass(frozen=True, slots=True)
class Backing:
    """What a header says of the image below: its name, beside the image, and its format."""

    name: str
    format: Format


class Bitmap(msgspec.Struct, frozen=True):
    """A dirty bitmap of a qcow2 image; flags: `auto` (enabled), `in-use` (not stored well)."""

    name: str
    granularity: int
    flags: list[str] = []


class _Qcow2Data(msgspec.Struct, frozen=True):
    compat: str = ""
    corrupt: bool = False
    bitmaps: list[Bitmap] = []


class _Specific(msgspec.Struct, frozen=True):
    data: _Qcow2Data = _Qcow2Data()


class _QemuInfo(msgspec.Struct, frozen=True, rename="kebab"):
    format: str
    virtual_size: int
    actual_size: int = 0
    cluster_size: int | None = None
    backing_filename: str | None = None
    backing_filename_format: str | None = None
    format_specific: _Specific = _Specific()


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What is in the header: sizes in bytes, `backing` as it is written there."""

    format: str
    virtual_size: int
    actual_size: int
    cluster_size: int | None
    backing: str | None
    backing_format: str | None
    compat: str | None
    corrupt: bool
    bitmaps: tuple[Bitmap, ...]


class CheckResult(msgspec.Struct, frozen=True, rename="kebab"):
    """`image_end_offset` is the bytes that the file needs; the others are numbers of clusters."""

    image_end_offset: int = 0
    leaks: int = 0
    corruptions: int = 0
    check_errors: int = 0


class Measure(msgspec.Struct, frozen=True, rename="kebab"):
    """Bytes: for the data that there is, for all of it, and besides for its bitmaps."""

    required: int
    fully_allocated: int
    bitmaps: int | None = None


def qemu_format(volume_format: Format) -> str:
    return _NAMES[volume_format]


class Operation(Child):
    """A command that moves data: run it when the task is ready for it. `run_checked` raises what
    became of it."""

    def run_checked(self) -> None:
        """Raises CommandError, NoSpaceLeft or TaskAborted."""
        _check(self._name, self.run())


class QemuImg:
    """Runs qemu-img. All methods raise CommandError, or NoSpaceLeft; those that return an
    `Operation` raise nothing, it does when it is run. For any thread."""

    def __init__(self, command: str = "qemu-img", timeout_s: float = TIMEOUT_S) -> None:
        self._command = command
        self._timeout_s = timeout_s

    # --- what only looks ---------------------------------------------------------------------

    def info(self, image: Image) -> ImageInfo:
        """Reads the header, also while a VM has the image open."""
        arguments = ("-U", "-f", qemu_format(image.format), str(image.path))
        return _info(self._ask("info", *arguments, timeout=self._timeout_s))

    def info_untrusted(self, image: Image) -> ImageInfo:
        """As `info`, for what a user has uploaded: within a limit of memory and of CPU time."""
        limits = (
            "prlimit",
            f"--as={UNTRUSTED_MEMORY}",
            f"--cpu={UNTRUSTED_CPU_S}",
            "--core=0",
            "--",
        )
        arguments = ("-f", qemu_format(image.format), str(image.path))
        return _info(self._ask("info", *arguments, prefix=limits, timeout=self._timeout_s))

    def check(self, image: Image) -> CheckResult:
        """Checks the metadata of a qcow2 image; what is wrong with it is in the result."""
        arguments = ("-f", qemu_format(image.format), str(image.path))
        return _read(
            "check",
            self._ask("check", *arguments, fine=(0, _CHECK_CORRUPT, _CHECK_LEAKS), timeout=None),
            CheckResult,
        )

    def measure(self, chain: Sequence[Image], target: Format) -> Measure:
        """The bytes that the data of `chain`, from the top to the base, needs in a format."""
        arguments = ("-U", "-O", qemu_format(target), tree(chain))
        answer = self._ask("measure", *arguments, timeout=MEASURE_TIMEOUT_S)
        return _read("measure", answer, Measure)

    # --- what changes a header ---------------------------------------------------------------

    def create(
        self, image: Image, size: int, *, backing: Backing | None = None, compat: str = "1.1"
    ) -> None:
        """Writes an empty image of `size` bytes. The backing image is not opened."""
        options = ["-f", qemu_format(image.format)]
        if image.format is Format.COW:
            options += ["-o", f"compat={compat}"]
        if backing:
            options += ["-u", "-b", backing.name, "-F", qemu_format(backing.format)]
        self._do("create", "-q", *options, str(image.path), str(size))

    def resize(self, image: Image, size: int) -> None:
        """Makes an image larger."""
        self._do("resize", "-q", "-f", qemu_format(image.format), str(image.path), str(size))

    def amend(self, path: Path, compat: str) -> None:
        """Changes the version of a qcow2 image."""
        self._do("amend", "-f", "qcow2", "-o", f"compat={compat}", str(path))

    def bitmap_add(
        self,
        path: Path,
        name: str,
        *,
        granularity: int = BITMAP_GRANULARITY,
        enabled: bool = True,
    ) -> None:
        state = "--enable" if enabled else "--disable"
        self._bitmap("--add", "-g", str(granularity), state, path=path, name=name)

    def bitmap_remove(self, path: Path, name: str) -> None:
        self._bitmap("--remove", path=path, name=name)

    def bitmap_clear(self, path: Path, name: str) -> None:
        self._bitmap("--clear", path=path, name=name)

    def bitmap_merge(self, source: Path, source_name: str, path: Path, name: str) -> None:
        """Adds what a bitmap of `source` has marked to the bitmap `name` of `path`."""
        other = () if source == path else ("-b", str(source), "-F", "qcow2")
        self._bitmap("--merge", source_name, *other, path=path, name=name)

    # --- what moves data ---------------------------------------------------------------------

    def convert(
        self,
        chain: Sequence[Image],
        target: Image,
        *,
        backing: Backing | None = None,
        compat: str = "1.1",
        preallocation: Allocation = Allocation.SPARSE,
        create: bool = True,
        target_is_zero: bool = False,
        bitmaps: bool = False,
        unordered: bool = False,
    ) -> Operation:
        """Copies the data of `chain`, from the top to the base, into `target`.

        With `backing` only the data of the top itself is written: what is below it must read the
        same from the backing file. It is still the whole chain that is given. Without `create` the
        target is there and large enough, and if `target_is_zero` it reads as zeros. `unordered` is
        faster where the target is preallocated.
        """
        words = ["-p", "-t", "none", "-T", "none"]
        options = []
        if target.format is Format.COW:
            options.append(f"compat={compat}")
        elif preallocation is Allocation.PREALLOCATED:
            options.append("preallocation=falloc")
        if create and options:
            words += ["-o", ",".join(options)]
        if not create:
            words += ["-n", *(["--target-is-zero"] if target_is_zero else [])]
        if bitmaps:
            words.append("--bitmaps")
        if unordered:
            words.append("-W")
        if backing:
            words += ["-B", backing.name, "-F", qemu_format(backing.format)]
        words += ["-O", qemu_format(target.format), tree(chain), str(target.path)]
        return self._operation("convert", *words)

    def commit(self, top: Path, base: Path) -> Operation:
        """Writes the data of the qcow2 image `top`, and of what is between, into `base`."""
        return self._operation(
            "commit", "-p", "-t", "none", "-b", str(base), "-d", "-f", "qcow2", str(top)
        )

    def rebase(self, path: Path, backing: Backing | None, *, unsafe: bool = False) -> Operation:
        """Gives the qcow2 image another backing file. `unsafe` changes the header only; else the
        data that differs is copied, and the guest sees the same as before."""
        words = ["-p", "-t", "none", "-T", "none", *(["-u"] if unsafe else []), "-f", "qcow2"]
        if backing:
            words += ["-F", qemu_format(backing.format), "-b", backing.name]
        else:
            words += ["-b", ""]
        return self._operation("rebase", *words, str(path))

    def compare(self, first: Sequence[Image], second: Sequence[Image]) -> bool:
        """Whether a guest sees the same data in two chains, from the top to the base."""
        outcome = self._run("compare", "-q", tree(first), tree(second), fine=(0, 1), timeout=None)
        return outcome.status == 0

    # -----------------------------------------------------------------------------------------

    def _bitmap(self, *arguments: str, path: Path, name: str) -> None:
        self._do("bitmap", *arguments, "-f", "qcow2", "--", str(path), name)

    def _do(self, command: str, *arguments: str) -> None:
        self._run(command, *arguments, timeout=self._timeout_s)

    def _ask(
        self,
        command: str,
        *arguments: str,
        timeout: float | None,
        prefix: Sequence[str] = (),
        fine: Sequence[int] = (0,),
    ) -> bytes:
        words = ("--output", "json", *arguments)
        return self._run(command, *words, prefix=prefix, fine=fine, timeout=timeout).stdout

    def _run(
        self,
        command: str,
        *arguments: str,
        timeout: float | None,
        prefix: Sequence[str] = (),
        fine: Sequence[int] = (0,),
    ) -> Outcome:
        name = f"qemu-img {command}"
        argv = (*prefix, self._command, command, *arguments)
        outcome = Child(argv, timeout_s=timeout, name=name).run()
        _check(name, outcome, fine)
        return outcome

    def _operation(self, command: str, *arguments: str) -> Operation:
        argv = (*_GENTLY, self._command, command, *arguments)
        return Operation(argv, name=f"qemu-img {command}")


def tree(chain: Sequence[Image]) -> str:
    """The nodes of a chain, from the top to the base, as qemu-img takes them for a file name."""
    node: dict[str, object] | None = None
    for image in reversed(chain):
        below, node = node, {"driver": qemu_format(image.format)}
        node["file"] = {"driver": "file", "filename": os.fspath(image.path)}
        if image.format is Format.COW:
            node["backing"] = below
        elif below:
            raise ValueError(f"{image.path} is raw and cannot have an image below it")
    if node is None:
        raise ValueError("a chain has at least one image")
    return f"json:{json.dumps(node)}"


def _check(name: str, outcome: Outcome, fine: Sequence[int] = (0,)) -> None:
    if outcome.status in fine:
        return
    if any(words in outcome.stderr for words in _NO_SPACE):
        raise errors.NoSpaceLeft(f"{name}: {outcome.stderr}")
    why = f"status {outcome.status}" if outcome.status >= 0 else f"signal {-outcome.status}"
    raise CommandError(f"{name} failed ({why}): {outcome.stderr}")


def _read(command: str, data: bytes, kind: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"qemu-img {command} said what is not understood: {error}") from None


def _info(data: bytes) -> ImageInfo:
    info = _read("info", data, _QemuInfo)
    specific = info.format_specific.data
    return ImageInfo(
        format=info.format,
        virtual_size=info.virtual_size,
        actual_size=info.actual_size,
        cluster_size=info.cluster_size,
        backing=info.backing_filename,
        backing_format=info.backing_filename_format,
        compat=specific.compat or None,
        corrupt=specific.corrupt,
        bitmaps=tuple(specific.bitmaps),
    )
