# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's whole walk on local storage: from a directory to a disk's data, and back to nothing.

The real images under real Quadlet, podman and systemd; calls by STOMP over TLS.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine
from storage.client import refused, session
from storage.engine import BLANK, COW, LOCALFS, PREALLOCATED, Engine, new_id

MIB = 1 << 20
DIRECTORY = "/srv/walk"
MOUNT = "/rhev/data-center/mnt/_srv_walk"


@pytest.fixture
def engine(host: Machine) -> Iterator[Engine]:
    """An engine that has made the host SPM of a pool with one local domain."""
    host.sh(f"mkdir -p {DIRECTORY}; chown 36:36 {DIRECTORY}")
    try:
        with session(host) as call:
            engine = Engine(call, LOCALFS, {"connection": DIRECTORY})
            engine.begin()
            yield engine
    finally:
        if (
            host.run("findmnt", MOUNT, check=False).returncode == 0
        ):  # the test did not get to its end
            host.sh(f"systemctl restart vdsm.service; umount -l {MOUNT}; rmdir {MOUNT}")
        host.sh(f"rm -rf {DIRECTORY}")


def in_vdsm(host: Machine, *argv: str) -> str:
    """Run a command in vdsm's container, as vdsm."""
    return host.run("podman", "exec", "vdsm", *argv).stdout.strip()


def shown(host: Machine, what: str) -> list[Any]:
    """What `vdsm-tool storage` tells a program."""
    found = json.loads(host.run("vdsm-tool", "storage", what, "--json").stdout)
    assert isinstance(found, list)
    return found


def test_a_disk_from_connect_to_format(host: Machine, engine: Engine) -> None:
    assert engine.spm_status()["spmStatus"] == "SPM"
    info = engine.call("StorageDomain.getInfo", {"storagedomainID": engine.domain})
    assert (info["uuid"], info["role"], int(info["version"])) == (engine.domain, "Master", 5)
    assert info["pool"] == [engine.pool]

    image, raw, snapshot = new_id(), new_id(), new_id()
    engine.create_volume(image, raw, size=4 * MIB, allocation=PREALLOCATED)
    path = f"{MOUNT}/{engine.domain}/images/{image}"
    host.sh(f"printf hello | dd of={path}/{raw} conv=notrunc status=none")
    engine.create_volume(image, snapshot, size=4 * MIB, form=COW, parent=(image, raw))
    assert sorted(engine.volumes(image)) == sorted([raw, snapshot])
    base = engine.of_volume("Volume.getInfo", image, raw)
    leaf = engine.of_volume("Volume.getInfo", image, snapshot)
    assert (base["voltype"], base["format"], base["type"]) == ("INTERNAL", "RAW", "PREALLOCATED")
    assert (leaf["voltype"], leaf["format"], leaf["parent"]) == ("LEAF", "COW", raw)

    [connection] = shown(host, "connections")
    assert (connection["target"], connection["domains"]) == (MOUNT, [engine.domain])
    [domain] = shown(host, "domains")
    assert (domain["uuid"], domain["role"], domain["valid"]) == (engine.domain, "Master", True)
    tree = host.run("vdsm-tool", "storage", "volumes", "--text", engine.domain).stdout.splitlines()
    assert [line.split()[0:2] for line in tree] == [
        ["image", image],
        [raw, "RAW"],
        [snapshot, "COW"],
    ]
    assert shown(host, "tasks") == []

    prepared = engine.of_volume("Image.prepare", image, snapshot)
    assert host.sh(f"readlink -e {prepared['path']}") == prepared["info"]["path"]
    read = in_vdsm(host, "qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=5", "count=1",
                   f"if={prepared['path']}", "of=/tmp/read")  # fmt: skip
    assert in_vdsm(host, "head", "-c", "5", "/tmp/read") == "hello", read
    checked = json.loads(in_vdsm(host, "qemu-img", "check", "--output", "json", prepared["path"]))
    assert checked["check-errors"] == 0
    assert "corruptions" not in checked
    assert "leaks" not in checked
    assert host.sh(f"readlink -e {prepared['path']}") == f"{path}/{snapshot}"
    assert host.sh(f"stat -c '%a %u:%g' {path}/{snapshot}") == "660 36:36"
    engine.of_volume("Image.teardown", image, snapshot)

    with refused(1000):
        engine.of_volume("Volume.getInfo", image, "../../etc")
    with refused(201):
        engine.of_volume("Volume.getInfo", image, new_id())
    engine.do("Image.delete", imageID=image, postZero=False, force=False)
    assert engine.images() == []
    assert host.sh(f"ls -A {MOUNT}/{engine.domain}/images") == ""

    engine.finish()
    assert host.sh(f"ls -A {DIRECTORY}") in ("", "__DIRECT_IO_TEST__")
    assert host.sh("ls -A /run/vdsm/storage") == ""
    assert host.run("findmnt", MOUNT, check=False).returncode != 0


def test_after_a_kill_of_vdsm_the_engine_goes_on(host: Machine, engine: Engine) -> None:
    image, volume = new_id(), new_id()
    engine.create_volume(image, volume, form=COW)
    host.wait_for_restart("vdsm", host.kill("vdsm"))
    assert engine.call("Host.getStorageDomains", {}) == [engine.domain]  # the mount is found again
    engine.resume()
    assert engine.spm_status()["spmStatus"] == "SPM"
    assert engine.images() == [image]
    info = engine.of_volume("Volume.getInfo", image, volume)
    assert (info["parent"], info["legality"]) == (BLANK, "LEGAL")
    engine.do("Image.delete", imageID=image, postZero=False, force=False)
    engine.finish()
