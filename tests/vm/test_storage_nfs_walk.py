# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's whole walk on a real NFS server with the real sanlock: from an export to a disk's
data, and back to nothing. The tests of this file follow one another."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from host.disks_at_work import ENDED, settle
from machines import Machine, Report
from storage import consistency
from storage.client import Lost, refused, session
from storage.engine import BLANK, COW, NFS, PREALLOCATED, Engine, new_id
from vm.leases import CLIENT, dump, exported, held, host_ids, ids_and_leases
from vm.tasks_killed import BOTH, Work, killed_when, works

MIB = 1 << 20
SERVER = "127.0.0.5"
"""An address of its own: other tests reach the same server by another one."""
SIZE = 8 * MIB
ROUNDS = int(os.environ.get("VDSM_STORAGE_ROUNDS", "2"))
MORE = 4
"""Rounds at most beyond these, until what is gone on with and what is undone were both killed."""
ROUND_S = 200
"""What one round may take."""
MASTER, OTHER = "/srv/walk", "/srv/walk2"


@pytest.fixture(scope="module")
def engine(leased: Machine) -> Iterator[Engine]:
    """An engine whose host is SPM of a pool with one domain on NFS."""
    with exported(leased, MASTER, OTHER), session(leased) as call:
        engine = Engine(call, NFS, export(MASTER), patience_s=300)
        engine.begin()
        yield engine
    leased.sh("rm -rf /srv/seen")


def export(directory: str) -> dict[str, Any]:
    return {"connection": f"{SERVER}:{directory}", "protocol_version": "4.1"}


def place(engine: Engine) -> str:
    """The directory of its domain."""
    mount = str(engine.connection["connection"]).replace("/", "_")
    return f"/rhev/data-center/mnt/{mount}/{engine.domain}"


def in_vdsm(host: Machine, *argv: str) -> str:
    """Run a command in vdsm's container, as vdsm."""
    return host.run("podman", "exec", "vdsm", *argv).stdout.strip()


def lease_of(host: Machine, engine: Engine, image: str, volume: str) -> dict[str, Any]:
    """The lease of a volume as it is on the disk, where there must be one, and its `owners`."""
    told = engine.of_volume("Volume.getInfo", image, volume)["lease"]
    path = f"{place(engine)}/images/{image}/{volume}.lease"
    assert (told["path"], told["offset"]) == (path, 0)
    [lease] = dump(host, path)
    assert (lease["lockspace"], lease["resource"]) == (engine.domain, volume)
    return {**lease, "owners": told["owners"]}


def living(host: Machine, engine: Engine) -> list[int]:
    """The host ids that are in use, as they are on the disk."""
    ids = dump(host, f"{place(engine)}/dom_md/ids")
    assert {each["lockspace"] for each in ids} == {engine.domain}
    return [each["own"] for each in ids if each["timestamp"]]


def test_the_host_is_spm_by_a_lease_of_sanlock(leased: Machine, engine: Engine) -> None:
    assert engine.spm_status()["spmStatus"] == "SPM"
    assert host_ids(leased) == {engine.domain: 1}
    assert held(leased) == [(engine.domain, "SDM")]
    [spm] = dump(leased, f"{place(engine)}/dom_md/leases", offset=MIB)
    assert (spm["lockspace"], spm["resource"], spm["own"]) == (engine.domain, "SDM", 1)
    assert spm["timestamp"] > 0
    assert living(leased, engine) == [1]


def test_a_second_domain_is_attached_used_and_given_back(leased: Machine, engine: Engine) -> None:
    other = replace(engine, connection=export(OTHER), domain=new_id(), connection_id=new_id())
    ids = {"storagedomainID": other.domain, "storagepoolID": engine.pool}
    other.connect_server()
    other.create_domain()
    engine.call("StorageDomain.attach", ids)
    other.activate()
    image, volume = new_id(), new_id()
    other.create_volume(image, volume)
    lease_of(leased, other, image, volume)
    other.do("Image.delete", imageID=image, postZero=False, force=False)
    leased.wait(f"[ $({CLIENT} gets | wc -l) = 2 ]")
    assert host_ids(leased) == {engine.domain: 1, other.domain: 1}

    blank = {"masterSdUUID": BLANK, "masterVersion": 0}
    engine.call("StorageDomain.deactivate", ids | blank)
    engine.call("StorageDomain.detach", ids | blank)
    assert host_ids(leased) == {engine.domain: 1}
    assert living(leased, other) == []
    engine.call("StorageDomain.format", {"storagedomainID": other.domain, "autoDetach": False})
    other.disconnect_server()
    assert leased.sh(f"ls -A {OTHER}") in ("", "__DIRECT_IO_TEST__")


def test_a_disk_has_its_leases_and_its_data(leased: Machine, engine: Engine) -> None:
    image, raw, snapshot = new_id(), new_id(), new_id()
    engine.create_volume(image, raw, size=4 * MIB, allocation=PREALLOCATED)
    path = f"{place(engine)}/images/{image}"
    in_vdsm(leased, "sh", "-c", f"printf hello | dd of={path}/{raw} conv=notrunc status=none")
    engine.create_volume(image, snapshot, size=4 * MIB, form=COW, parent=(image, raw))
    assert sorted(engine.volumes(image)) == sorted([raw, snapshot])
    leaf = engine.of_volume("Volume.getInfo", image, snapshot)
    assert (leaf["voltype"], leaf["format"], leaf["parent"]) == ("LEAF", "COW", raw)
    for volume in (raw, snapshot):
        lease = lease_of(leased, engine, image, volume)
        assert (lease["timestamp"], lease["owners"]) == (0, [])
        assert leased.sh(f"stat -c '%a %u:%g' {path}/{volume}.lease") == "660 36:36"

    prepared = engine.of_volume("Image.prepare", image, snapshot)
    assert [(each["leasePath"], each["leaseOffset"]) for each in prepared["imgVolumesInfo"]] == [
        (f"{path}/{each}.lease", 0) for each in (raw, snapshot)
    ]
    in_vdsm(leased, "qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=5", "count=1",
            f"if={prepared['path']}", "of=/tmp/read")  # fmt: skip
    assert in_vdsm(leased, "head", "-c", "5", "/tmp/read") == "hello"
    is_clean(leased, prepared["path"])
    engine.of_volume("Image.teardown", image, snapshot)

    copied = copy(leased, engine, image, snapshot)
    engine.of_volume("Volume.getInfo", image, snapshot)
    for each in (image, copied):
        engine.do("Image.delete", imageID=each, postZero=False, force=False)
    assert engine.images() == []
    assert leased.sh(f"ls -A {place(engine)}/images") == ""


def is_clean(host: Machine, path: str) -> None:
    checked = json.loads(in_vdsm(host, "qemu-img", "check", "--output", "json", path))
    assert checked["check-errors"] == 0
    assert "corruptions" not in checked
    assert "leaks" not in checked


def copy(host: Machine, engine: Engine, image: str, volume: str) -> str:
    """Copies a volume by a job, which holds the lease of what it writes; the new image."""
    target, new = new_id(), new_id()
    engine.create_volume(target, new, size=4 * MIB, form=COW)

    def div(image: str, volume: str, **more: int) -> dict[str, Any]:
        ids = {"sd_id": engine.domain, "img_id": image, "vol_id": volume}
        return {"endpoint_type": "div", **ids, **more}

    job = new_id()
    engine.call(
        "SDM.copy_data",
        {
            "job_id": job,
            "source": div(image, volume),
            "destination": div(target, new, generation=0),
        },
    )
    deadline = time.monotonic() + engine.patience_s
    while (told := engine.call("Host.getJobs", {"job_ids": [job]})[job])["status"] != "done":
        assert told["status"] in ("pending", "running"), told
        assert time.monotonic() < deadline, told
        time.sleep(engine.poll_s)
    lease = lease_of(host, engine, target, new)
    # Taken once, by this host, and given back.
    assert (lease["lver"], lease["own"], lease["timestamp"]) == (1, 1, 0)
    assert lease["owners"] == []
    is_clean(host, f"{place(engine)}/images/{target}/{new}")
    return target


def test_leases_of_vms_are_made_found_and_removed(leased: Machine, engine: Engine) -> None:
    names = [new_id(), new_id()]
    path = f"{place(engine)}/dom_md/xleases"

    def of(name: str) -> dict[str, Any]:
        return {"lease": {"sd_id": engine.domain, "lease_id": name}}

    def on_disk() -> list[str]:
        return [lease["resource"] for lease in dump(leased, path, offset=3 * MIB, size=4 * MIB)]

    for number, name in enumerate(names):
        engine.end(engine.call("Lease.create", of(name)))
        found = engine.call("Lease.info", of(name))
        assert (found["path"], found["offset"]) == (path, (3 + number) * MIB)
        assert engine.call("Lease.status", of(name)) == {"owners": [], "version": 0}
    assert on_disk() == names
    with refused(657):
        engine.end(engine.call("Lease.create", of(names[0])))
    engine.end(engine.call("Lease.delete", of(names[0])))
    for verb in ("Lease.info", "Lease.status"):
        with refused(936):
            engine.call(verb, of(names[0]))
    with refused(936):
        engine.end(engine.call("Lease.delete", of(names[0])))
    assert on_disk() == names[1:]

    wiped = f"dd if=/dev/zero of={path} bs=1M seek=1 count=1 conv=notrunc status=none"
    in_vdsm(leased, "sh", "-c", wiped)
    with refused(749):
        engine.call("Lease.info", of(names[1]))
    engine.end(engine.call("Lease.rebuild_leases", {"sd_id": engine.domain}))
    assert engine.call("Lease.info", of(names[1]))["offset"] == 4 * MIB
    dumped = engine.call("StorageDomain.dump", {"sd_id": engine.domain, "full": True})
    assert list(dumped["xleases"]) == names[1:]
    assert [each["resource"] for each in dumped["leases"]] == ["SDM"]
    engine.end(engine.call("Lease.delete", of(names[1])))
    assert on_disk() == []


@pytest.mark.timeout(ROUND_S * (ROUNDS + MORE + 1))
def test_vdsm_killed_in_the_middle_leaves_the_domain_whole(
    leased: Machine, engine: Engine, tmp_path: Path, report: Report
) -> None:
    image, base, leaf = new_id(), new_id(), new_id()
    engine.create_volume(image, base, size=SIZE)
    data = f"{place(engine)}/images/{image}/{base}"
    in_vdsm(leased, "dd", "if=/dev/urandom", f"of={data}", "bs=1M", f"count={SIZE // MIB}")
    engine.create_volume(image, leaf, size=SIZE, form=COW, parent=(image, base))
    before = checked(leased, engine, tmp_path / "before")
    assert before.problems == []
    pid = leased.pid("vdsm")
    images = f"{MASTER}/{engine.domain}/images"
    hit: list[Work] = []
    rounds = 0
    while rounds < ROUNDS or ({work.goes_on for work in hit} != BOTH and rounds < ROUNDS + MORE):
        todo = works(engine, image, leaf, SIZE)
        watched = todo[rounds % len(todo)]
        with killed_when(leased, pid, f"{images}/{watched.path}", watched.data), suppress(Lost):
            for work in sorted(todo, key=lambda each: each is watched):  # it is the last one
                engine.task(work.verb, storagedomainID=engine.domain, **work.params)
        pid = leased.wait_for_restart("vdsm", pid)
        # The host's id outlives vdsm, and the leases end with it.
        assert ids_and_leases(leased) == ({engine.domain: 1}, [])
        engine.resume()
        infos = engine.call("Host.getAllTasksInfo", {})
        results = [(infos[task]["verb"], end["taskResult"]) for task, end in settle(engine).items()]
        assert {result for _, result in results} <= ENDED, results
        if (watched.task, "cleanSuccess") in results:
            hit.append(watched)
        after = checked(leased, engine, tmp_path / str(rounds))
        assert after.problems == []
        assert before.volumes.items() <= after.volumes.items()
        rounds += 1
    report(f"{len(hit)} of {rounds} kills were in the middle: {[work.task for work in hit]}")
    assert {work.goes_on for work in hit} == BOTH


def checked(host: Machine, engine: Engine, copy: Path) -> consistency.Checked:
    """How the domain is, as its server has it, but for what sanlock wrote."""
    copy.mkdir()
    # cp waits until vdsm's NFS client has given back its delegations; tar, which copies, does not.
    host.sh(
        f"rm -rf /srv/seen; mkdir /srv/seen; cp -a {MASTER}/{engine.domain} /srv/seen;"
        "find /srv/seen '(' -name '*.lease' -o -name ids -o -name '*leases' -o -name '*box' ')'"
        " -exec truncate --size=0 {} +"
    )
    host.copy_out(f"/srv/seen/{engine.domain}", copy / engine.domain)
    return consistency.check(copy / engine.domain, leases=True)


def test_nothing_is_left_at_the_end(leased: Machine, engine: Engine) -> None:
    engine.finish()
    assert host_ids(leased) == {}
    assert held(leased) == []
    assert leased.sh(f"ls -A {MASTER}") in ("", "__DIRECT_IO_TEST__")
    assert leased.sh("ls -A /run/vdsm/storage") == ""
    assert SERVER not in leased.sh("findmnt --list --output SOURCE")
