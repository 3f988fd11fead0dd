# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's operating system: its name, its kernel, and what the kernel was told to do."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from enum import IntEnum

from vdsm.host.tree import HostTree

# The container's own /etc/os-release is the image's; podman mounts the host's here.
_OS_RELEASE = ("/run/host/os-release", "/etc/os-release")

_RED_HAT_LIKE = frozenset({"rhel", "centos", "rocky", "almalinux"})


class Kdump(IntEnum):
    """Whether fence_kdump would tell the engine of a crash, in oVirt's numbers."""

    UNKNOWN = -1
    DISABLED = 0


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """The operating system; `name` is one of oVirt's OSName."""

    name: str
    version: str
    release: str
    pretty_name: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """The running kernel, its release split at the first dash as packages are."""

    version: str
    release: str
    realtime: bool


def operating_system(tree: HostTree) -> OperatingSystem:
    """Reads os-release(5); everything is empty or unknown when the host has none."""
    fields: dict[str, str] = {}
    for path in _OS_RELEASE:
        text = tree.text_or(path, "")
        if text:
            fields = _parse_os_release(text)
            break
    name = _os_name(fields)
    version, release = fields.get("VERSION_ID", ""), ""
    if name == "RHEL":  # oVirt's habit: 9.4 is version 9, release 4
        version, _, release = version.partition(".")
    return OperatingSystem(name, version, release, fields.get("PRETTY_NAME", ""))


def _parse_os_release(text: str) -> dict[str, str]:
    fields = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            try:
                fields[key] = "".join(shlex.split(value))
            except ValueError:  # an unbalanced quote: the line says nothing
                continue
    return fields


def _os_name(fields: dict[str, str]) -> str:
    """oVirt's name for the operating system."""
    system = fields.get("ID", "")
    if fields.get("VARIANT_ID") == "ovirt-node":
        return "oVirt Node"
    if system == "debian":
        return "Debian"
    if system == "fedora":
        return "Fedora"
    if system in _RED_HAT_LIKE or "rhel" in fields.get("ID_LIKE", "").split():
        return "RHEL"
    return "unknown"


def kernel(tree: HostTree) -> Kernel:
    """Reads the running kernel's release. Raises OSError."""
    version, _, release = tree.text("/proc/sys/kernel/osrelease").partition("-")
    realtime = "PREEMPT_RT" in tree.text_or("/proc/sys/kernel/version", "").split()
    return Kernel(version, release, realtime)


def kernel_arguments(tree: HostTree) -> str:
    """The kernel's command line. Raises OSError."""
    return tree.text("/proc/cmdline")


def boot_time(tree: HostTree) -> int:
    """When the host booted, in seconds since the epoch. Raises OSError or ValueError."""
    match = re.search(r"^btime (\d+)$", tree.text("/proc/stat"), re.MULTILINE)
    if not match:
        raise ValueError("/proc/stat has no btime")
    return int(match[1])


def kvm(tree: HostTree) -> bool:
    """Whether the kernel offers KVM. /dev/kvm itself is not in vdsm's container."""
    return tree.path("/sys/class/misc/kvm").exists()


def nested_virtualization(tree: HostTree) -> bool:
    """Whether guests may have KVM too."""
    modules = ("kvm_intel", "kvm_amd", "kvm")
    settings = (tree.text_or(f"/sys/module/{name}/parameters/nested", "") for name in modules)
    return any(setting in ("Y", "1") for setting in settings)


def iommu(tree: HostTree) -> bool:
    """Whether an IOMMU is in use, without which no device can be given to a VM."""
    return bool(tree.entries("/sys/class/iommu"))


def hardware_rng(tree: HostTree) -> bool:
    """Whether the kernel uses a hardware random number generator."""
    return tree.text_or("/sys/class/misc/hw_random/rng_current", "none") not in ("", "none")


def selinux_mode(tree: HostTree) -> int:
    """1 enforcing, 0 permissive, -1 without SELinux."""
    return tree.number_or("/sys/fs/selinux/enforce", -1)


def fips(tree: HostTree) -> bool:
    """Whether the kernel runs in FIPS mode."""
    return tree.number_or("/proc/sys/crypto/fips_enabled", 0) == 1


def kdump(tree: HostTree) -> Kdump:
    """Whether kdump is off. When a crash kernel is loaded, only kdump.conf, which vdsm's container
    does not see, tells whether fence_kdump is set up."""
    loaded = tree.number_or("/sys/kernel/kexec_crash_loaded", -1)
    return Kdump.DISABLED if loaded == 0 else Kdump.UNKNOWN
