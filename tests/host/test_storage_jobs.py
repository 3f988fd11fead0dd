# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage jobs in vdsm's container: what qemu-img may do there, and links that outlive vdsm."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine
from storage.client import session
from storage.engine import COW, LOCALFS, Engine, new_id

MIB = 1 << 20
DIRECTORY = "/srv/jobs"
MOUNT = "/rhev/data-center/mnt/_srv_jobs"


@pytest.fixture(scope="module")
def engine(host: Machine) -> Iterator[Engine]:
    """An engine that has made the host SPM of a pool with one local domain."""
    host.sh(f"mkdir -p {DIRECTORY}; chown 36:36 {DIRECTORY}")
    try:
        with session(host) as call:
            engine = Engine(call, LOCALFS, {"connection": DIRECTORY})
            engine.begin()
            yield engine
            engine.finish()
    finally:
        if host.run("findmnt", MOUNT, check=False).returncode == 0:  # it did not get to its end
            host.sh(f"systemctl restart vdsm.service; umount -l {MOUNT}; rmdir {MOUNT}")
        host.sh(f"rm -rf {DIRECTORY}")


def end_of(engine: Engine, verb: str, **params: Any) -> dict[str, Any]:
    """Starts a job and waits for its end as an engine does; what Host.getJobs says of it then."""
    job = new_id()
    engine.call(verb, {"job_id": job, **params})
    deadline = time.monotonic() + engine.patience_s
    while True:
        told: dict[str, Any] = engine.call("Host.getJobs", {"job_ids": [job]})[job]
        if told["status"] not in ("pending", "running"):
            return told
        assert time.monotonic() < deadline, told
        time.sleep(engine.poll_s)


def test_a_disk_is_copied_and_its_snapshot_merged(host: Machine, engine: Engine) -> None:
    image, raw, snapshot = new_id(), new_id(), new_id()
    other, target = new_id(), new_id()
    engine.create_volume(image, raw, size=4 * MIB)
    engine.create_volume(image, snapshot, size=4 * MIB, form=COW, parent=(image, raw))
    engine.create_volume(other, target, size=4 * MIB)
    images = f"{MOUNT}/{engine.domain}/images"
    host.sh(f"printf hello | dd of={images}/{image}/{raw} conv=notrunc status=none")

    def div(of: str, volume: str, **more: Any) -> dict[str, Any]:
        place = {"sd_id": engine.domain, "img_id": of, "vol_id": volume}
        return {"endpoint_type": "div", **place, **more}

    copy = {"source": div(image, snapshot), "destination": div(other, target, generation=0)}
    assert end_of(engine, "SDM.copy_data", **copy)["status"] == "done"
    assert host.sh(f"head -c 5 {images}/{other}/{target}") == "hello"
    assert end_of(engine, "SDM.copy_data", **copy)["error"]["code"] == 911

    pair = {"sd_id": engine.domain, "img_id": image, "top_id": snapshot, "base_id": raw}
    engine.end(engine.call("StoragePool.prepareMerge", merge := in_pool(engine, pair)))
    assert end_of(engine, "SDM.merge", subchain_info=pair)["status"] == "done"
    engine.end(engine.call("StoragePool.finalizeMerge", merge))
    engine.do("Image.deleteVolumes", imageID=image, volumeList=[snapshot])
    assert engine.volumes(image) == [raw]
    assert engine.of_volume("Volume.getInfo", image, raw)["voltype"] == "LEAF"
    for each in (image, other):
        engine.do("Image.delete", imageID=each, postZero=False, force=False)


def in_pool(engine: Engine, pair: dict[str, Any]) -> dict[str, Any]:
    return {"storagepoolID": engine.pool, "subchainInfo": pair}


def test_the_link_of_a_prepared_image_outlives_vdsm(host: Machine, engine: Engine) -> None:
    image, volume = new_id(), new_id()
    engine.create_volume(image, volume)
    engine.of_volume("Image.prepare", image, volume)
    link = f"/run/vdsm/storage/{engine.domain}/{image}"
    assert host.sh(f"readlink {link}") == f"{MOUNT}/{engine.domain}/images/{image}"
    assert host.run("podman", "exec", "vdsm", "touch", "/run/vdsm/x", check=False).returncode != 0
    host.wait_for_restart("vdsm", host.kill("vdsm"))
    engine.resume()
    assert host.sh(f"readlink {link}") == f"{MOUNT}/{engine.domain}/images/{image}"
    engine.of_volume("Image.teardown", image, volume)
    assert host.sh("ls -A /run/vdsm/storage") == ""
    engine.do("Image.delete", imageID=image, postZero=False, force=False)
