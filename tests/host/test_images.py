# SPDX-License-Identifier: GPL-2.0-or-later
"""The two images as podman runs them: what they hold, what they must not hold, what they say."""

import json
import shlex
from typing import Any

import pytest

from machines import Machine
from vdsm_contract.version import CONTRACT_VERSION, RELEASE

SITE_PACKAGES = "/opt/venv/lib/python3*/site-packages"
NAMES = ("vdsm", "supervdsm")

PACKAGES = {
    "vdsm": {"vdsm", "vdsm_contract"},
    "supervdsm": {"supervdsm", "vdsm_contract", "vdsm_tool"},
}
COMMANDS = {"vdsm": {"vdsm", "vdsm-client"}, "supervdsm": {"supervdsm", "vdsm-tool"}}
TOOLS = (
    "mount", "umount", "mount.nfs", "lvm", "dmsetup", "xfs_repair", "mkfs.xfs", "mke2fs",
    "fsck.ext4", "iscsiadm", "multipath", "kpartx", "udevadm", "modprobe", "sanlock", "wdmd",
)  # fmt: skip
NOT_WANTED = ("cc", "gcc", "make", "ld", "pip", "pip3", "curl", "wget", "ssh")


def in_image(host: Machine, name: str, command: str) -> str:
    """Run a shell command in a throw-away container of an image."""
    return host.sh(
        f"podman run --rm --network=none --pull=never --user=0:0 --entrypoint=/bin/sh "
        f"localhost/{name}:latest -c {shlex.quote(command)}"
    )


def inspect(host: Machine, name: str) -> dict[str, Any]:
    (image,) = json.loads(host.sh(f"podman image inspect localhost/{name}:latest"))
    return dict(image)


@pytest.mark.parametrize("name", NAMES)
def test_labels(host: Machine, name: str) -> None:
    labels = inspect(host, name)["Labels"]
    assert labels["org.opencontainers.image.title"] == name
    assert labels["org.opencontainers.image.version"] == RELEASE
    assert labels["org.opencontainers.image.licenses"] == "GPL-2.0-or-later"
    assert labels["org.opencontainers.image.revision"] not in ("", "unknown")
    assert labels["org.ovirt.vdsm.contract"] == CONTRACT_VERSION


def test_both_are_of_one_build(host: Machine) -> None:
    keys = {inspect(host, name)["Labels"]["org.ovirt.vdsm.inputs"] for name in NAMES}
    assert len(keys) == 1


@pytest.mark.parametrize("name", NAMES)
def test_only_its_own_packages_and_commands(host: Machine, name: str) -> None:
    ours = set.union(*PACKAGES.values())
    found = set(in_image(host, name, f"cd {SITE_PACKAGES} && ls").split())
    assert found & ours == PACKAGES[name]
    commands = set(in_image(host, name, "ls /opt/venv/bin").split())
    assert commands & set.union(*COMMANDS.values()) == COMMANDS[name]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_other_side_anywhere(host: Machine, name: str) -> None:
    foreign = set.union(*PACKAGES.values()) - PACKAGES[name]
    tests = " -o ".join(f"-name {package} -o -name {package}.py" for package in sorted(foreign))
    assert in_image(host, name, f"find / -xdev -type d \\( {tests} \\) -print").strip() == ""


@pytest.mark.parametrize("name", NAMES)
def test_no_compiler_no_pip_no_leftovers(host: Machine, name: str) -> None:
    paths = in_image(
        host, name, "for tool in " + " ".join(NOT_WANTED) + "; do command -v $tool; done; true"
    )
    assert paths.strip() == ""
    names = "-name pip -o -name ensurepip -o -name '*.whl'"
    leftovers = f"find / -xdev -path /proc -prune -o \\( {names} \\) -print"
    assert in_image(host, name, leftovers).strip() == ""
    places = "/run/secrets /build /tmp /usr/sbin/policy-rc.d /var/lib/apt/lists"
    files = f"find {places} -type f -size +0 2>/dev/null; true"
    assert in_image(host, name, files).strip() == ""


@pytest.mark.parametrize("name", NAMES)
def test_the_build_s_certificate_bundle_is_not_baked_in(host: Machine, name: str) -> None:
    # What Debian's own package makes: one entry for each certificate that it ships.
    count = (
        "ls /usr/share/ca-certificates/mozilla | wc -l; "
        "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt"
    )
    shipped, trusted = in_image(host, name, count).split()
    assert shipped == trusted
    assert in_image(host, name, "ls -A /usr/local/share/ca-certificates").strip() == ""


@pytest.mark.parametrize("name", NAMES)
def test_the_code_is_compiled(host: Machine, name: str) -> None:
    program = (
        f"cd {SITE_PACKAGES} && for package in {' '.join(sorted(PACKAGES[name]))}; do "
        "find $package -name '*.py' | wc -l; find $package -name '*.pyc' | wc -l; done"
    )
    counts = in_image(host, name, program).split()
    assert counts[::2] == counts[1::2]
    assert "0" not in counts


@pytest.mark.parametrize("name", NAMES)
def test_no_program_makes_its_user_another(host: Machine, name: str) -> None:
    """Neither by its mode nor by capabilities of its own; no directory has such a mode either."""
    program = (
        "import os, sys; "
        "print(*[f for f in sys.argv[1:] if 'security.capability' in os.listxattr(f)])"
    )
    capable = f"find / -xdev -type f -exec python3 -Ic {shlex.quote(program)} {{}} +"
    assert in_image(host, name, f"find / -xdev -perm /6000; {capable}").split() == []


def test_ids(host: Machine) -> None:
    assert in_image(host, "vdsm", "id vdsm").strip() == "uid=36(vdsm) gid=36(kvm) groups=36(kvm)"
    ids = in_image(
        host, "supervdsm", "id -u vdsm; id -g vdsm; id -u qemu; id -u sanlock; id -Gn qemu"
    )
    assert ids.split("\n")[:5] == ["36", "36", "107", "179", "qemu kvm"]


def test_supervdsm_has_the_tools_of_its_verbs(host: Machine) -> None:
    lookup = (
        "for tool in " + " ".join(TOOLS) + "; do command -v $tool >/dev/null || echo $tool; done"
    )
    assert in_image(host, "supervdsm", lookup).strip() == ""


def test_sanlock_opens_no_disk_and_starts_as_itself(host: Machine) -> None:
    assert in_image(host, "supervdsm", "id -Gn sanlock").strip() == "sanlock kvm"


def test_vdsm_has_qemu_img_and_sanlock_s_library(host: Machine) -> None:
    program = "qemu-img --version; python3 -Ic 'import sanlock; print(sanlock.HOST_LIVE)'"
    found = in_image(host, "vdsm", program).splitlines()
    assert found[0].startswith("qemu-img version")
    assert found[-1] == "3"
    unused = (
        "command -v qemu-nbd qemu-io qemu-storage-daemon; ls /opt/venv/lib/python3*/dist-packages"
    )
    assert in_image(host, "vdsm", f"({unused}) 2>/dev/null; true").strip() == ""


def test_no_host_s_identity_is_in_the_images(host: Machine) -> None:
    for name in NAMES:
        files = (
            "cat /etc/machine-id /etc/iscsi/initiatorname.iscsi /etc/nvme/hostid 2>/dev/null; true"
        )
        assert in_image(host, name, files).strip() == ""
