# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of the pair on a plain Debian 13: installed, upgraded, rebooted, rolled back, removed.

A machine of its own has podman and no trace of the pair, but the images in a read-only store. The
reboot finds networks that one release has saved and another one restores; that of a pair which was
just installed is in test_network_boot.py.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from host import releases
from machines import ROOT, SERVES, Machine, Report, own_machine
from vm.boot import Witness, reboot
from vm.engine import Engine
from vm.kernel import Kernel
from vm.peer import Peer
from vm.shell import Shell
from vm.site import Site

SOURCE: Final = "/root/vdsm"
BOND: Final = {"bond0": {"nics": ["eth1", "eth2"], "options": "mode=1 miimon=100"}}
RED: Final = {
    "bonding": "bond0", "vlan": 100, "ipaddr": "10.1.0.2", "netmask": "255.255.255.0",
    "gateway": "10.1.0.1", "defaultRoute": True,
}  # fmt: skip
DEVICES: Final = ("eth1", "eth2", "bond0", "bond0.100", "red")
NEXT: Final = releases.Release("next")
# What may be there when the pair has gone (docs/install.md), and what others write meanwhile.
STAYS: Final = (
    "/etc/vdsm/", "/etc/pki/", "/var/lib/vdsm/", "/rhev/", "/var/lib/containers/",
    "/etc/systemd/system/sockets.target.wants/podman.socket/",
    "/etc/passwd-/", "/etc/group-/", "/etc/shadow-/", "/etc/gshadow-/", "/etc/.pwd.lock/",
    "/var/log/", "/var/cache/", "/var/lib/systemd/", "/var/tmp/", "/tmp/", "/root/",
)  # fmt: skip


@pytest.fixture
def bare() -> Iterator[Machine]:
    """A plain Debian 13."""
    subprocess.run([ROOT / "containers/images"], check=True, stdout=subprocess.DEVNULL)
    machine = own_machine("testvm", "install")
    try:
        machine.up(bare=True)
        yield machine
    finally:
        machine.down()
    state = os.environ.get("VDSM_TESTENV_STATE", "/var/lib/vdsm-testenv")
    assert not Path(state, "vm", machine.name).exists()
    assert not list(Path("/run/netns").glob(f"*{machine.name}*"))


def test_install_upgrade_reboot_rollback_uninstall(
    bare: Machine, tmp_path: Path, report: Report
) -> None:
    shell = Shell(bare)
    times: list[str] = []

    @contextmanager
    def step(name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        times.append(f"{name} {time.monotonic() - began:.0f} s")

    before = files(shell)
    with step("install"):
        install(bare)
    bare.copy_out("/etc/pki/vdsm", tmp_path / "pki")
    engine = Engine(bare, tmp_path / "pki")
    site = Site(engine, shell, Peer(shell))
    now, then = version(site), NEXT.version
    assert now != then

    with step("network"):
        wire(site)
        site.setup({"red": RED}, BOND, commitOnSuccess=True)
        assert site.peer.reaches("10.1.0.2")
    networks = site.kernel()
    witness = Witness(shell)
    witness.place()

    references = releases.make(bare, NEXT)
    with step("upgrade"):
        silence = swap(site, "upgrade", *references)
    report(f"the upgrade: its network was silent for {silence:.2f} s")
    assert version(site) == then
    assert not site.kernel().unlike(networks)

    with step("reboot"):
        reboot(site)
    assert_back(site, witness, networks)
    assert version(site) == then

    with step("rollback"):
        silence = swap(site, "rollback")
    report(f"the rollback: its network was silent for {silence:.2f} s")
    assert version(site) == now
    assert not site.kernel().unlike(networks)

    witness.dismiss()
    with step("uninstall"), site.peer.watching("10.1.0.2"):
        shell(f"{SOURCE}/containers/uninstall", timeout=300)
    assert not site.kernel().unlike(networks)
    assert left(before, files(shell)) == []
    engine.close()
    shell.close()
    report(", ".join(times))


def install(machine: Machine) -> None:
    """Do as an operator with the repository does."""
    for name in ("containers", "quadlet"):
        machine.copy_in(ROOT / name, f"{SOURCE}/{name}")
    machine.sh(f"{SOURCE}/containers/install", timeout=600)
    machine.sh(SERVES)
    machine.sh("systemctl is-enabled vdsm.target")


def wire(site: Site) -> None:
    """Put the world at the other ends of its NICs."""
    site.peer.build()
    site.peer.vlan(100, "10.1.0.1/24")


def version(site: Site) -> str:
    """The release that runs."""
    label = f'{{{{index .Config.Labels "{releases.VERSION_LABEL}"}}}}'
    told = site.engine.caps()["software_version"]
    assert site.shell(f"podman inspect -f '{label}' vdsm supervdsm").split() == [told, told]
    return str(told)


def swap(site: Site, *words: str) -> float:
    """Let vdsm-tool change the pair; return how long the network was silent at most."""
    with site.peer.watching("10.1.0.2") as watch:
        site.shell(f"vdsm-tool {' '.join(words)}", timeout=600)
    site.shell(SERVES)
    return watch.silence


def assert_back(site: Site, witness: Witness, networks: Kernel) -> None:
    """The networks are as before the boot, and were so before the network was needed."""
    assert witness.addresses()["red"] == {"10.1.0.2"}
    witness.assert_restored_before()
    wire(site)
    assert not site.kernel().unlike(networks)
    assert site.peer.reaches("10.1.0.2")


def files(shell: Shell) -> set[str]:
    """All paths of the root file system, but of directories that are not vdsm's."""
    found = shell("find / -xdev ! -type d -o -xdev -path '*vdsm*'", timeout=300)
    return set(found.splitlines())


def left(before: set[str], after: set[str]) -> list[str]:
    """What has come since and ought not to be there."""
    return sorted(path for path in after - before if not f"{path}/".startswith(STAYS))
