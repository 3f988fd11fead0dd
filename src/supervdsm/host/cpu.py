# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tells of the CPU's vulnerabilities.

Source: ABI/testing/sysfs-devices-system-cpu, `vulnerabilities`.
"""

from pathlib import Path


def vulnerabilities(sysfs: Path) -> dict[str, str]:
    """Return `{"MELTDOWN": "(Not affected)", ...}`: the shape of `kernelFeatures` in oVirt.

    Empty when the kernel reports none.
    """
    directory = sysfs / "devices/system/cpu/vulnerabilities"
    if not directory.is_dir():
        return {}
    return {
        file.name.upper(): f"({file.read_text(errors='replace').strip()})"
        for file in sorted(directory.iterdir())
    }
