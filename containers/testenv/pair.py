# SPDX-License-Identifier: GPL-2.0-or-later
"""Putting the pair into a machine: its images, its units, and the wait until it serves."""

import io
import os
import sys
import tarfile
from pathlib import Path

from testenv import config
from testenv.commands import run
from testenv.machine import Machine
from testenv.report import Failed, progress, step

# What `containers/install` needs, and nothing that is only for building or testing.
SOURCES = ("Makefile", "containers", "quadlet")
_LEFT_OUT = {"testenv", "testhost", "testvm", "__pycache__", "setup", "images"}

_STORAGE_CONF = f"""\
# Written by containers/test*: the pair's images come from a read-only additional store.
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
additionalimagestores = ["{config.STORE_IN_MACHINE}"]
"""

_PINS = "/etc/vdsm/pins"

# A test host's NIC is one end of a veth pair, which vdsm takes for a machine's and not for a NIC.
_NIC_DROP_IN = "/etc/containers/systemd/supervdsm.container.d/10-test-nics.conf"
_NIC_CONF = """\
[Container]
Environment=VDSM_FAKE_NICS=dummy_*,veth_*,eth*
"""


def build_images() -> Path:
    """Make sure that the pair's images are built from the sources as they are; return the store."""
    builder = config.PROJECT / "containers" / "images"
    if not builder.exists():
        raise Failed(f"{builder} is missing", "start a machine without the pair: up --bare")
    with step("making sure that the images are built"):
        run(builder, env={"VDSM_TESTENV_CACHE": str(config.CACHE)}, show=True)
    return config.STORE.resolve(strict=True)


def use_images(machine: Machine) -> None:
    """Tell podman in the machine where the images are."""
    if machine.images_attached() is not None:
        write(machine, "/etc/containers/storage.conf", _STORAGE_CONF)


def write(machine: Machine, path: str, content: str) -> None:
    machine.run("sh", "-c", 'cat > "$1"', "write", path, stdin=content.encode())


def deploy(machine: Machine) -> None:
    """Install the pair (or install it again) and wait until both services are active.

    Raises:
        Failed: with the pair's journal, if it does not come up.
    """
    with step(f"installing the pair in {machine.title} {machine.name}"):
        source = config.SOURCE_IN_MACHINE
        machine.run(
            "sh", "-c", 'rm -rf "$1" && mkdir -p "$1" && tar -C "$1" -xf -', "install", source,
            stdin=_sources(),
        )  # fmt: skip
        machine.run("mkdir", "-p", str(Path(_NIC_DROP_IN).parent))
        write(machine, _NIC_DROP_IN, _NIC_CONF)
        try:
            installed = machine.run(
                f"{source}/containers/install", "--root", "/", limit=machine.deploy_limit
            )
            for unit in config.UNITS:  # given both, it would be content with one
                machine.run("systemctl", "is-active", "--quiet", unit)
        except Failed as failure:
            failure.details += "\n" + journal(machine)
            raise
        sys.stderr.write(installed.stdout.decode(errors="replace"))


def _sources() -> bytes:
    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return None if Path(member.name).name in _LEFT_OUT else member

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in SOURCES:
            if (config.PROJECT / name).exists():
                tar.add(config.PROJECT / name, name, filter=wanted)
    return archive.getvalue()


def journal_command(*options: str) -> list[str]:
    units = [f"--unit={unit}" for unit in (*config.UNITS, "vdsm.socket", "supervdsm.socket")]
    return ["journalctl", "--no-pager", "--output=short-precise", *units, *options]


def journal(machine: Machine) -> str:
    """Return the last lines of the pair's journal and state, to explain a failure."""
    parts = [
        machine.run("systemctl", "--no-pager", "--full", "status", *config.UNITS, check=False),
        machine.run(*journal_command("--lines=60"), check=False),
    ]
    return b"\n".join(part.stdout for part in parts).decode(errors="replace")


def bring_up(machine: Machine, *, bare: bool) -> None:
    """Create and boot what is not there yet, then install the pair unless `bare`.

    A machine that runs is kept: its pair is installed again, after a reboot if its images are
    older than the sources.
    """
    images = None if bare else build_images()
    if not machine.created:
        machine.remove()
        machine.create()
    if not machine.running():
        machine.boot()
        use_images(machine)
    if images is not None and images != machine.images_attached():
        progress(f"{machine.title} {machine.name} has older images: rebooting it")
        # They name images that will not be there.
        machine.run("rm", "-rf", _PINS)
        machine.power_off()
        machine.detach_images()
        machine.boot()
        use_images(machine)
    if not bare:
        deploy(machine)


def hints(machine: Machine, *, bare: bool) -> str:
    """Return what a person can do next."""
    command = os.path.relpath(config.PROJECT / machine.command)
    lines = [
        f"{machine.title} {machine.name} is up at {config.ADDRESS}, in a network of its own.",
        f"  a command in it:      {command} exec {machine.name} -- COMMAND",
        f"  a client beside it:   {command} exec --peer {machine.name} -- COMMAND",
        f"  a shell in it:        {command} shell {machine.name}",
    ]
    if not bare:
        lines.append(f"  both journals:        {command} logs {machine.name}")
    return "\n".join([*lines, f"  the end of it:        {command} down {machine.name}"])
