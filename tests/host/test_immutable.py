# SPDX-License-Identifier: GPL-2.0-or-later
"""The pair as a part of a host's image: docs/immutable.md.

The image is a tree that is put over a test host's root; the images that are bound to it are in a
read-only store where bootc has them.
"""

import os
from collections.abc import Iterator

import pytest

from host.installing import PLACE, bare_host, write
from machines import SERVES, Machine

IMAGE = "/root/image"
STORE = "/usr/lib/bootc/storage"
REFERENCES = ("--vdsm-image=localhost/vdsm:latest", "--supervdsm-image=localhost/supervdsm:latest")
MAKE_IMAGE = f"""
mkdir -p {IMAGE}/etc {IMAGE}/usr/lib
cp -a /etc/passwd /etc/group /etc/shadow /etc/gshadow {IMAGE}/etc/
"""
BOOT_FROM_IT = f"""
cp -a {IMAGE}/. /
mkdir -p /usr/lib/bootc
ln -s /var/lib/vdsm-images {STORE}
# Nobody else tells podman of that store.
rm -f /etc/containers/storage.conf
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Machine]:
    """A host that was booted from such an image."""
    with bare_host(f"immutable{os.getpid()}") as machine:
        machine.sh(MAKE_IMAGE)
        machine.run(f"{PLACE}/containers/install-vendor", IMAGE, *REFERENCES)
        machine.sh(BOOT_FROM_IT)
        machine.tool_run("reboot", machine.name)
        machine.sh("vdsm-tool pki init")
        machine.wait(SERVES)
        yield machine


def test_everything_is_below_usr(host: Machine) -> None:
    files = host.sh(f"cd {IMAGE} && find . ! -type d | sort").split()
    elsewhere = {one.rstrip("-") for one in files if not one.startswith("./usr/")}
    accounts = {"./etc/group", "./etc/gshadow", "./etc/passwd", "./etc/shadow"}
    assert elsewhere - {"./etc/.pwd.lock"} == accounts
    assert "./usr/share/containers/systemd/vdsm.container" in files
    assert "./usr/lib/systemd/system/vdsm.socket" in files
    assert "./usr/bin/vdsm-tool" in files
    assert not [one for one in files if "upgrade" in one]
    assert host.sh(f"ls -A {IMAGE}/rhev") == ""


def test_the_pair_runs_from_the_images_that_are_bound(host: Machine) -> None:
    assert host.sh("podman images --quiet") == ""
    assert host.client("Host", "echo", "message=bound") == "bound"
    for name in ("vdsm", "supervdsm"):
        link = f"/usr/lib/bootc/bound-images.d/{name}.container"
        assert host.sh(f"grep ^Image= {link}") == f"Image=localhost/{name}:latest"
        assert STORE in host.sh(f"grep ^GlobalArgs= {link}")
    assert host.show("vdsm-lldpd.service", "ActiveState") == "active"
    assert host.sh("id -u vdsm; getent group kvm | cut -d: -f3").split() == ["36", "36"]


def test_the_root_may_be_read_only(host: Machine) -> None:
    host.sh("mount --bind /usr /usr && mount -o remount,bind,ro /usr")
    try:
        host.sh("systemctl restart vdsm.target")
        host.wait(SERVES)
        assert host.client("Host", "echo", "message=ro") == "ro"
        assert host.sh("findmnt -rno FSTYPE,PROPAGATION /rhev") == "tmpfs shared"
        assert host.sh("stat -c %u:%g /rhev/data-center/mnt") == "36:36"
        host.client("Host", "getCapabilities")
    finally:
        host.sh("umount --lazy /usr")


def test_drop_ins_of_the_operator_are_honoured(host: Machine) -> None:
    directory = "/etc/containers/systemd/vdsm.container.d"
    write(host, f"{directory}/10-ours.conf", "[Container]\nEnvironment=OURS=1\n")
    host.sh("systemctl daemon-reload && systemctl restart vdsm.service")
    pid = host.show("vdsm.service", "MainPID")  # podman's monitor; the container is below it
    assert "OURS=1" in host.sh(f"cat /proc/$(pgrep -P {pid})/environ | tr '\\0' '\\n'")
    host.sh(f"rm -r {directory}; systemctl daemon-reload; systemctl restart vdsm.service")


def test_each_podman_of_a_unit_is_told_of_the_bound_store(host: Machine) -> None:
    units = "/usr/share/containers/systemd"
    assert host.run("grep", "-rqE", "podman --storage-opt=[^ ]+ kill ", units).returncode == 0
    found = host.run("grep", "-rE", "podman (exec|kill|wait) ", units, check=False)
    assert (found.returncode, found.stdout) == (1, "")


def test_a_hung_daemon_is_killed_by_the_watchdog(host: Machine) -> None:
    """The way there goes through `podman kill`, which needs the bound store, too."""
    main = "$(pgrep -P $(systemctl show -P MainPID vdsm.service))"
    old = host.sh(f"echo {main}")
    host.sh(f"kill -STOP {old}")
    host.wait(f"[ -n {main} ] && [ {main} != {old} ]", timeout=120)
    host.wait(SERVES)
    assert host.client("Host", "echo", "message=again") == "again"


def test_check_and_status_work_there(host: Machine) -> None:
    assert host.run("vdsm-tool", "check").returncode == 0
    assert host.run("vdsm-tool", "status").returncode == 0


@pytest.mark.parametrize("command", ["upgrade", "pin"])
def test_the_host_s_image_upgrades_it(host: Machine, command: str) -> None:
    words = ("localhost/vdsm:latest", "localhost/supervdsm:latest")
    done = host.run("vdsm-tool", command, *words, check=False)
    assert done.returncode == 1
    assert "part of this host's image" in done.stderr
    assert "bootc" in done.stderr
    assert host.sh("ls /etc/vdsm/pins 2>/dev/null || true") == ""


def test_it_comes_back_after_a_power_cut(host: Machine) -> None:
    host.tool_run("power-cut", host.name)
    host.tool_run("boot", host.name)
    host.wait(SERVES)
    assert host.client("Host", "echo", "message=back") == "back"


def test_half_a_pair_is_refused(host: Machine) -> None:
    done = host.run(f"{PLACE}/containers/install-vendor", IMAGE, REFERENCES[0], check=False)
    assert done.returncode == 1
    assert "both images or none" in done.stderr
