# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare test hosts to install the pair on by hand, as an operator does."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from machines import ROOT, Machine

PLACE: Final = "/opt/vdsm-source"
"""Where the project is in the host."""
UNITS: Final = "/etc/containers/systemd"
FAKE_NICS: Final = "[Container]\nEnvironment=VDSM_FAKE_NICS=dummy_*,veth_*,eth*\n"
"""A test host's NICs are ends of veth pairs."""


@contextmanager
def bare_host(name: str) -> Iterator[Machine]:
    """Run a host that podman has the images for, and nothing else of the pair is on."""
    subprocess.run([ROOT / "containers/images"], check=True, stdout=sys.stderr)
    machine = Machine(ROOT / "containers/testhost", name)
    machine.down()
    machine.up(bare=True)
    try:
        bring_sources(machine)
        write(machine, f"{UNITS}/supervdsm.container.d/10-test-nics.conf", FAKE_NICS)
        yield machine
    finally:
        machine.down()


def bring_sources(machine: Machine) -> None:
    """Copy what installing needs of the project."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("containers", "quadlet"):
            tar.add(ROOT / name, name)
    script = f"rm -rf {PLACE} && mkdir -p {PLACE} && tar -C {PLACE} -xf -"
    machine.run("sh", "-c", script, stdin=archive.getvalue())


def write(machine: Machine, path: str, text: str) -> None:
    """Write a file, and the directories above it."""
    script = 'mkdir -p "$(dirname "$1")" && cat >"$1"'
    machine.run("sh", "-c", script, "write", path, stdin=text.encode())


def install(machine: Machine, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run containers/install; its progress is in stderr."""
    return machine.run(f"{PLACE}/containers/install", *options, check=False, timeout=300)


def installed(machine: Machine, *options: str) -> str:
    """Run containers/install, which must succeed; return what it said."""
    done = install(machine, *options)
    assert done.returncode == 0, done.stderr + machine.logs()
    return done.stderr


def uninstalled(machine: Machine, *options: str) -> str:
    """Run containers/uninstall; return what it said."""
    return machine.run(f"{PLACE}/containers/uninstall", *options).stderr


def setup_networks(machine: Machine, networks: str) -> None:
    """Set networks up (JSON), for now and for the next boot."""
    options = '{"connectivityCheck": false, "commitOnSuccess": true}'
    request = f'{{"networks": {networks}, "bondings": {{}}, "options": {options}}}'
    words = ["vdsm-client", "-f", "-", "Host", "setupNetworks"]
    machine.run(*words, stdin=request.encode())
