# SPDX-License-Identifier: GPL-2.0-or-later
"""Read and write one whole number in a file of sysfs."""

import logging
import os
from pathlib import Path
from typing import Final

from vdsm_contract.errors import KernelSettingFailed

_log: Final = logging.getLogger(__name__)


def read(file: Path) -> int:
    """Return the number in `file`. Raises KernelSettingFailed."""
    try:
        return int(file.read_text())
    except OSError as error:
        raise _failed(file, error) from error


def write(file: Path, value: int) -> None:
    """Write `value` into `file` with one write(2). Raises KernelSettingFailed when the kernel
    refuses.

    A missing file is not created: it says that the kernel lacks the setting.
    """
    try:
        fd = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(fd, f"{value}\n".encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise _failed(file, error) from error
    _log.info("%s is %d now", file, value)


def _failed(file: Path, error: OSError) -> KernelSettingFailed:
    return KernelSettingFailed(
        path=str(file), errno=error.errno or 0, reason=error.strerror or str(error)
    )
