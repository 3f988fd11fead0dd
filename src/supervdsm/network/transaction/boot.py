# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether this boot has restored the networks already: a mark that dies with the boot.

It lies in supervdsm's directory below /run, which is a tmpfs and read-only for vdsm, and names the
boot besides, should /run outlive it. oVirt's own vdsm leaves an empty file by the same name: on a
host that moves from packages to containers nothing is restored before it boots.
"""

from pathlib import Path
from typing import Final

import msgspec

from supervdsm.network.transaction import durable

FILE_NAME: Final = "nets_restored"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_MOST: Final = 4096


class _Mark(msgspec.Struct, frozen=True):
    boot: str
    attempts: int = 0
    restored: bool = False


class BootMark:
    """The mark in `run_dir`. `boot_id` is the file that the kernel fills anew at each boot."""

    def __init__(self, run_dir: Path, boot_id: Path = _BOOT_ID) -> None:
        self._path = run_dir / FILE_NAME
        self._boot_id = boot_id

    @property
    def restored(self) -> bool:
        """Whether this boot is done with restoring."""
        return self._read().restored

    @property
    def attempts(self) -> int:
        """How often this boot has begun to restore."""
        return self._read().attempts

    def begin(self) -> None:
        """Note the beginning of an attempt. Raises OSError."""
        mark = self._read()
        self._write(msgspec.structs.replace(mark, attempts=mark.attempts + 1))

    def finish(self) -> None:
        """Note that this boot is done with restoring. Raises OSError."""
        mark = self._read()
        self._write(msgspec.structs.replace(mark, attempts=max(mark.attempts, 1), restored=True))

    def _read(self) -> _Mark:
        boot = self._boot_id.read_text().strip()
        try:
            content = durable.read(self._path, most=_MOST)
            if not content:
                return _Mark(boot, attempts=1, restored=True)
            mark = msgspec.json.decode(content, type=_Mark)
        except (OSError, ValueError, RecursionError):
            return _Mark(boot)
        return mark if mark.boot == boot else _Mark(boot)

    def _write(self, mark: _Mark) -> None:
        durable.replace(self._path, msgspec.json.encode(mark))
