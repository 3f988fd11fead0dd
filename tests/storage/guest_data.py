# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine writes to a volume and reads from it, through all that it is based on."""

from __future__ import annotations

import subprocess
from pathlib import Path

from vdsm.storage.model import MIB, Format
from vdsm.storage.volume.qemu_img import qemu_format


def write(path: Path, kind: Format, pattern: int, offset: int, size: int = MIB) -> None:
    """Fills a part with one byte."""
    done = _qemu_io(path, kind, f"write -P {pattern} {offset} {size}")
    assert done.returncode == 0, done.stderr


def holds(path: Path, kind: Format, pattern: int, offset: int, size: int = MIB) -> bool:
    """Whether a part is full of one byte."""
    done = _qemu_io(path, kind, f"read -P {pattern} {offset} {size}", "-r")
    said = done.stdout + done.stderr
    assert f"read {size}/{size}" in said or "Pattern verification failed" in said, said
    return "Pattern verification failed" not in said


def is_clean(path: Path) -> bool:
    """Whether the metadata of a qcow2 image is right."""
    argv = ["qemu-img", "check", "-q", "-f", "qcow2", str(path)]
    return subprocess.run(argv, check=False, timeout=60).returncode == 0


def _qemu_io(
    path: Path, kind: Format, command: str, *options: str
) -> subprocess.CompletedProcess[str]:
    argv = ["qemu-io", *options, "-f", qemu_format(kind), "-c", command, str(path)]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
