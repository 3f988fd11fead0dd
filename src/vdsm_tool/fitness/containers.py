# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs the containers: systemd, podman and its Quadlet generator, control groups."""

import json
import re
from pathlib import Path
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Finding, fail, ok, unknown, warn
from vdsm_tool.host import Host

_MIN_SYSTEMD: Final = 252
"""The oldest systemd of a distribution that ships such a podman (EL 9)."""

MIN_PODMAN: Final = (5, 3)
"""The oldest podman that makes of our units what they say: it knows `DefaultDependencies=` in
[Quadlet], without which supervdsm would wait for the network that it brings up."""

_GENERATORS: Final = (
    "/etc/systemd/system-generators/podman-system-generator",
    "/usr/local/lib/systemd/system-generators/podman-system-generator",
    "/usr/lib/systemd/system-generators/podman-system-generator",
)
"""Where systemd.generator(7) looks for the program that turns .container files into services."""

_CONTROLLERS: Final = frozenset({"cpu", "memory", "pids"})

_PACKAGED: Final = ("vdsmd.service", "supervdsmd.service")
"""The units of a vdsm that was installed from packages."""

_ADMIN_UNITS: Final = "/etc/systemd/system"
_UNIT_DIRS: Final = (_ADMIN_UNITS, "/usr/lib/systemd/system", "/lib/systemd/system")


def systemd(host: Host) -> Finding:
    """Return whether pid 1 is a systemd that is new enough."""
    name = "systemd"
    first = (host.proc / "1/comm").read_text().strip()
    if first != "systemd":
        return fail(
            name,
            f"pid 1 is {first}",
            "Use a host that systemd boots; inside a container, `podman run --pid=host`.",
        )
    try:
        text = host.run(["systemctl", "--version"])
    except ToolError as error:
        return unknown(name, error.sentence, "Run vdsm-tool as root, in a privileged container.")
    version = re.search(r"systemd (\d+)", text)
    if version is None:
        return unknown(name, f"systemctl --version says {text[:60]!r}", "Look at it by hand.")
    if int(version[1]) < _MIN_SYSTEMD:
        return fail(
            name, f"version {version[1]}", f"Use a host with systemd {_MIN_SYSTEMD} or newer."
        )
    return ok(name, f"version {version[1]}, pid 1")


def podman(host: Host) -> Finding:
    """Return whether the host's podman is new enough."""
    name = "podman"
    install = "Install podman 5.3 or newer (Debian 13, EL 9.6, Fedora 42 and later have it)."
    try:
        text = host.run(["podman", "version", "--format", "json"])
        version = str(json.loads(text)["Client"]["Version"])
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    except ToolError as error:
        return fail(name, error.sentence, install)
    except (ValueError, KeyError, TypeError) as error:
        return unknown(name, f"its answer cannot be read: {error}", "`podman version` by hand.")
    if numbers < MIN_PODMAN:
        return fail(name, f"version {version}", install)
    return ok(name, f"version {version}")


def quadlet(host: Host) -> Finding:
    """Return whether podman's generator of units is installed."""
    for path in _GENERATORS:
        generator = host.path(path)
        if generator.exists() or generator.is_symlink():
            return ok("quadlet", path)
    return fail(
        "quadlet",
        "podman's systemd generator is not installed",
        "Install the whole podman package (some distributions split off podman-quadlet).",
    )


def control_groups(host: Host) -> Finding:
    """Return whether the host uses the unified hierarchy with the controllers that limits need."""
    name = "cgroup2"
    root = Path("/sys/fs/cgroup")
    kinds = [mount.fstype for mount in host.mounts() if mount.target == root]
    if not kinds or kinds[-1] != "cgroup2":
        return fail(
            name,
            f"{root} is {kinds[-1] if kinds else 'no mount'}, not cgroup2",
            "Boot with the kernel argument systemd.unified_cgroup_hierarchy=1.",
        )
    try:
        controllers = set(host.path(root / "cgroup.controllers").read_text().split())
    except OSError as error:
        return unknown(name, f"{error.filename}: {error.strerror}", "Run vdsm-tool as root.")
    missing = _CONTROLLERS - controllers
    if missing:
        return warn(
            name,
            f"without the controllers {', '.join(sorted(missing))}",
            "Enable them in the kernel; without pids, podman needs pids_limit=0 in "
            "containers.conf(5).",
        )
    return ok(name, f"unified, controllers {', '.join(sorted(controllers))}")


def package_installation(host: Host) -> Finding:
    """Return whether no vdsm from packages can start, which would take the same port and state."""
    name = "other vdsm"
    for unit in _PACKAGED:
        if host.path(_ADMIN_UNITS).joinpath(unit).resolve() == Path("/dev/null"):
            continue  # masked
        for directory in _UNIT_DIRS:
            if host.path(directory).joinpath(unit).exists():
                return fail(
                    name,
                    f"{directory}/{unit} is installed",
                    f"`systemctl disable --now {' '.join(_PACKAGED)}`, then remove the packages "
                    "vdsm* or mask these units; see docs/migration.md. /var/lib/vdsm and "
                    "/etc/pki/vdsm stay and are used.",
                )
    return ok(name, "none from packages that could start")
