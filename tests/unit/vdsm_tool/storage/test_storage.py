# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage as `vdsm-tool storage` shows it, from answers as vdsm gives them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm_tool.finding import Level
from vdsm_tool.host import Host
from vdsm_tool.state.vdsm import CallFailed
from vdsm_tool.storage import collect, model, text
from vdsm_tool.storage.ask import Vdsm

BLANK = "00000000-0000-0000-0000-000000000000"
DOMAIN = "11111111-1111-1111-1111-111111111111"
GONE = "22222222-2222-2222-2222-222222222222"


class Answers(Vdsm):
    """A vdsm whose answers are known; an exception among them is raised."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def call(self, verb: str, **params: object) -> object:
        answer = self._answers[verb.rpartition(".")[2]]
        answer = answer(**params) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer


INFO = {
    "uuid": DOMAIN,
    "name": "data",
    "type": "NFS",
    "class": "Data",
    "role": "Master",
    "version": "5",
    "pool": ["p"],
    "remotePath": "server:/export/data",
}
STATS = {"disktotal": "1073741824", "diskfree": "536870912"}
VITALS = {"valid": True, "acquired": True, "delay": "0.0012", "lastCheck": "3.1", "code": 0}


def found() -> list[model.Domain]:
    def info(**params: object) -> Any:
        return INFO if params["storagedomainID"] == DOMAIN else CallFailed("not there (code 358)")

    return collect.domains(
        Answers(
            getStorageDomains=[DOMAIN],
            getStorageRepoStats={DOMAIN: VITALS, GONE: VITALS | {"valid": False}},
            getInfo=info,
            getStats=STATS,
        )
    )


def test_domains_with_what_their_monitors_saw() -> None:
    one, gone = found()
    assert (one.uuid, one.version, one.total, one.free) == (DOMAIN, 5, 1 << 30, 1 << 29)
    assert (one.valid, one.acquired, one.delay, one.level) == (True, True, 0.0012, Level.OK)
    assert (gone.uuid, gone.level) == (GONE, Level.FAIL)
    assert gone.problem == "not there (code 358)"
    lines = text.domains([one, gone])
    assert lines[0] == f"{DOMAIN}  data"
    assert "  512 MiB of 1 GiB free" in lines
    assert "answered in 1.2 ms" in lines[4]
    assert lines[-1].strip() == gone.problem


def test_connections_name_their_domains(tmp_path: Path) -> None:
    mounts = (
        "29 1 8:1 / / rw shared:1 - ext4 /dev/vda rw\n"
        "40 29 0:40 / /rhev/data-center/mnt/server:_export_data rw shared:2 - nfs4 "
        "server:/export/data rw\n"
        "41 29 8:1 /srv /rhev/data-center/mnt/_srv_local__dir ro shared:3 - ext4 /dev/vda ro\n"
    )
    (tmp_path / "1").mkdir()
    (tmp_path / "1/mountinfo").write_text(mounts)
    host = Host(tmp_path, tmp_path, lambda _: "")
    one = found()[0]
    local = model.Domain("local", remote_path="/srv/local_dir")
    connections = collect.connections(host, [one, local])
    assert [each.domains for each in connections] == [[DOMAIN], ["local"]]
    assert [each.read_only for each in connections] == [False, True]
    assert "server:/export/data  (nfs4)" in text.connections(connections)


def volume(uuid: str, parent: str, image: str = "i", legality: str = "LEGAL") -> model.Volume:
    return model.volume(
        uuid,
        {
            "image": image,
            "parent": parent,
            "format": "COW",
            "type": "SPARSE",
            "voltype": "LEAF",
            "legality": legality,
            "capacity": "1048576",
            "truesize": 196608,
            "description": "",
            "status": "OK" if legality == "LEGAL" else "ILLEGAL",
        },
    )


def test_a_chain_is_a_tree_with_its_base_on_top() -> None:
    volumes = [volume("c", "b"), volume("b", "a"), volume("a", BLANK), volume("d", "a")]
    tree = collect.chains(volumes)["i"]
    assert [(depth, one.uuid) for depth, one in tree] == [(0, "a"), (1, "b"), (2, "c"), (1, "d")]
    lines = text.volumes([volume("a", BLANK, legality="ILLEGAL")])
    assert lines[0] == "image i"
    assert lines[1] == "  a  COW SPARSE  LEAF  1 MiB, 192 KiB allocated  ILLEGAL ILLEGAL"


def test_volumes_come_from_one_dump() -> None:
    info = {"image": "i", "parent": BLANK, "capacity": 1}
    vdsm = Answers(dump={"volumes": {"v": info}})
    assert [one.uuid for one in collect.volumes(vdsm, DOMAIN)] == ["v"]
    with pytest.raises(CallFailed):
        collect.volumes(Answers(dump=CallFailed("no such domain")), DOMAIN)


def test_tasks_with_how_they_ended() -> None:
    vdsm = Answers(
        getAllTasksInfo={"t": {"id": "t", "verb": "createVolume"}},
        getAllTasksStatuses={
            "t": {"taskState": "finished", "taskResult": "cleanFailure", "code": 397,
                  "message": "No space left"},
        },
    )  # fmt: skip
    [one] = collect.tasks(vdsm)
    assert (one.verb, one.state, one.code) == ("createVolume", "finished", 397)
    assert text.tasks([one]) == ["t  createVolume  finished  cleanFailure: No space left (397)"]
    assert text.tasks([as_success(one)]) == ["t  createVolume  finished  success"]


def as_success(task: model.Task) -> model.Task:
    return model.Task(task.id, task.verb, task.state, "success", 0, "")


def test_nothing_is_said_in_words() -> None:
    assert text.connections([]) == ["no storage server is connected"]
    assert text.domains([]) == ["vdsm finds no storage domain"]
    assert text.volumes([]) == ["the domain has no volume"]
    assert text.tasks([]) == ["there is no task"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdefg")), max_size=6))
def test_a_chain_with_loops_still_shows_each_volume_once(pairs: list[tuple[str, str]]) -> None:
    volumes = [volume(uuid, parent) for uuid, parent in dict(pairs).items()]
    shown = [one.uuid for tree in collect.chains(volumes).values() for _, one in tree]
    assert sorted(shown) == sorted(one.uuid for one in volumes)


@pytest.mark.parametrize(
    ("amount", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1 << 50, "1 PiB"),
     (5 << 60, "5120 PiB")],
)  # fmt: skip
def test_sizes_for_people(amount: int, said: str) -> None:
    assert text.size(amount) == said
