# SPDX-License-Identifier: GPL-2.0-or-later
"""Releases and archives that are no good: each ends with the old pair serving, and says why.

What else an archive may have wrong is in test_archive.py.
"""

import json
from collections.abc import Iterator

import pytest

from host.releases import (
    CRASHES,
    FOREIGN,
    HANGS,
    OTHER_VERSION,
    SKEWED_CODE,
    SKEWED_LABEL,
    UNTRUE,
    Release,
)
from host.upgrades import ONE, TWO, Upgrading

ARCHIVES = "/srv/archives"
GOOD = f"{ARCHIVES}/two.tar"
KEY, PUBLIC = f"{ARCHIVES}/key", f"{ARCHIVES}/key.pub"
MINISIGN = (
    f"podman run --rm --volume={ARCHIVES}:{ARCHIVES} --entrypoint=minisign "
    "localhost/supervdsm:latest"
)


@pytest.fixture
def at_one(upgrading: Upgrading) -> Iterator[Upgrading]:
    """The host with its first release; it has it again, and whole, after the test."""
    if upgrading.machine.sh("readlink /etc/vdsm/pins/current").startswith(f"{TWO.version}-"):
        assert upgrading.upgrade(ONE).returncode == 0
    before = upgrading.untouched()
    yield upgrading
    upgrading.serves(ONE)
    assert upgrading.untouched() == before


@pytest.fixture
def impatient(at_one: Upgrading) -> Iterator[Upgrading]:
    """The host, with less patience for a vdsm that does not say READY=1."""
    conf = "/run/systemd/system/vdsm.service.d/90-impatient.conf"
    text = "[Service]\\nTimeoutStartSec=15\\nTimeoutStopSec=5\\n"
    at_one.machine.sh(f"mkdir -p $(dirname {conf}); printf '{text}' >{conf}")
    try:
        yield at_one
    finally:
        at_one.machine.sh(f"rm {conf}; systemctl daemon-reload")


def refused(host: Upgrading, *words: str, why: str, outcome: str = "refused") -> None:
    """An upgrade fails, and gives its reason on the terminal, in the history and in JSON."""
    before = len(host.entries())
    done = host.tool("upgrade", *words, "--json")
    assert done.returncode == 1, done.stderr
    assert why in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert len(host.entries()) == before + 1
    entry = host.last()
    assert (entry["kind"], entry["outcome"]) == ("upgrade", outcome)
    assert why in entry["reason"], entry["reason"]
    assert why in host.tool("history", "--text").stdout
    if outcome == "rolled back":
        assert json.loads(done.stdout) == entry


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (CRASHES, "supervdsm.service"),
        (SKEWED_CODE, "contract"),
        (UNTRUE, "vdsm says release 0.1.1+other"),
    ],
    ids=lambda value: value.name if isinstance(value, Release) else "",
)
def test_a_release_that_does_not_work_is_put_back(
    at_one: Upgrading, release: Release, why: str
) -> None:
    refused(at_one, *at_one.add(release), why=why, outcome="rolled back")


def test_a_vdsm_that_hangs_is_put_back(impatient: Upgrading) -> None:
    refused(impatient, *impatient.add(HANGS), why="vdsm.service", outcome="rolled back")


@pytest.mark.parametrize(
    ("release", "why"),
    [
        (SKEWED_LABEL, "The images do not belong together: org.ovirt.vdsm.contract"),
        (OTHER_VERSION, "The images do not belong together: org.opencontainers.image.version"),
        (FOREIGN, "is for another architecture: s390x"),
    ],
    ids=lambda value: value.name if isinstance(value, Release) else "",
)
def test_images_that_do_not_fit_are_not_tried(
    at_one: Upgrading, release: Release, why: str
) -> None:
    started = at_one.machine.pid("supervdsm")
    refused(at_one, *at_one.add(release), why=why)
    assert at_one.machine.pid("supervdsm") == started


def test_one_half_of_two_releases_is_no_pair(at_one: Upgrading) -> None:
    refused(at_one, ONE.references[0], TWO.references[1], why="image.version is 0.1.1")
    refused(at_one, TWO.references[0], TWO.references[0], why="are both vdsm's image")


# --- archives ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(upgrading: Upgrading) -> Iterator[str]:
    """The second release as an archive, and a key."""
    host = upgrading.machine
    host.sh(f"rm -rf {ARCHIVES}; mkdir -p {ARCHIVES}; {MINISIGN} -G -W -p {PUBLIC} -s {KEY}")
    host.run("vdsm-tool", "archive", "create", GOOD, *TWO.references, "--sign", KEY)
    yield GOOD
    host.sh(f"rm -rf {ARCHIVES} /etc/vdsm/upgrade.pub")


@pytest.fixture
def wants_signature(upgrading: Upgrading, archive: str) -> Iterator[None]:
    upgrading.machine.sh(f"cp {PUBLIC} /etc/vdsm/upgrade.pub")
    yield
    upgrading.machine.sh("rm /etc/vdsm/upgrade.pub")


def forget_two(host: Upgrading) -> None:
    """Let podman have no image of the second release."""
    ids = " ".join(host.ids["two"])
    host.machine.sh(
        f"podman rmi --force {ids} >/dev/null 2>&1 || true; ! podman image exists {ids}"
    )


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("truncate -s -1M bad.tar", "is refused: it is cut short"),
        # In the middle of a layer.
        ("printf X | dd of=bad.tar bs=1 seek=50000000 conv=notrunc status=none", "was changed"),
    ],
    ids=["cut", "changed"],
)
def test_a_spoilt_archive_is_refused(at_one: Upgrading, archive: str, spoil: str, why: str) -> None:
    host, bad = at_one.machine, f"{ARCHIVES}/bad.tar"
    images = host.sh("podman images --no-trunc --quiet --all | sort -u")
    host.sh(f"cd {ARCHIVES}; cp --reflink=auto {archive} bad.tar; {spoil}")
    refused(at_one, bad, why=why)
    assert host.sh("podman images --no-trunc --quiet --all | sort -u") == images


@pytest.mark.usefixtures("wants_signature")
def test_a_signature_that_is_wanted_must_be_there_and_right(
    at_one: Upgrading, archive: str
) -> None:
    host = at_one.machine
    unsigned, forged = f"{ARCHIVES}/unsigned.tar", f"{ARCHIVES}/forged.tar"
    host.run("vdsm-tool", "archive", "create", unsigned, *TWO.references)
    refused(at_one, unsigned, why="is not signed")
    host.sh(f"{MINISIGN} -G -W -p {ARCHIVES}/other.pub -s {ARCHIVES}/other")
    words = ("archive", "create", forged, *TWO.references, "--sign", f"{ARCHIVES}/other")
    assert at_one.tool(*words).returncode == 0
    refused(at_one, forged, why="its signature is wrong")
    host.sh(f"rm {unsigned} {forged}")
    checked = at_one.tool("upgrade", archive, "--dry-run", "--json")
    assert checked.returncode == 0, checked.stderr
    assert "the signature is right" in checked.stderr


def test_a_disk_that_is_full_in_the_middle_of_a_load(at_one: Upgrading, archive: str) -> None:
    host = at_one.machine
    forget_two(at_one)
    try:
        # podman unpacks there: bytes enough, but no room for more files.
        host.sh("mount -t tmpfs -o size=2g,nr_inodes=4 tmpfs /var/tmp")
        refused(at_one, archive, why="no space left on device")
    finally:
        host.sh("umount /var/tmp")
    assert at_one.tool("archive", "load", archive).returncode == 0
    for image, reference in zip(at_one.ids["two"], TWO.references, strict=True):
        host.run("podman", "tag", image, reference)


def test_a_good_archive_brings_its_images(at_one: Upgrading, archive: str) -> None:
    forget_two(at_one)
    checked = at_one.tool("archive", "verify", archive, "--json")
    assert checked.returncode == 0, checked.stderr
    done = at_one.tool("upgrade", archive)
    assert done.returncode == 0, done.stderr
    at_one.serves(TWO)
    assert at_one.upgrade(ONE).returncode == 0
    at_one.add(TWO)
