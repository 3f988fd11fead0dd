# SPDX-License-Identifier: GPL-2.0-or-later
"""What the test of a pair accuses, and that it ends."""

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec
import pytest

from vdsm_contract import asked
from vdsm_contract.asked import Asked
from vdsm_contract.errors import ContractError, SupervdsmDied, VersionMismatch
from vdsm_contract.paths import NETWORK_JOURNAL
from vdsm_contract.types import HealthReport
from vdsm_tool.errors import ToolError
from vdsm_tool.finding import fail
from vdsm_tool.host import Host
from vdsm_tool.state import containers, supervdsm, vdsm
from vdsm_tool.state.containers import ContainerState
from vdsm_tool.state.vdsm import Answer
from vdsm_tool.upgrade import selftest, settled, snapshot
from vdsm_tool.upgrade.model import Pair
from vdsm_tool.upgrade.snapshot import Snapshot

PAIR = Pair("a" * 64, "b" * 64, "1.2.0", "7", "abc", "amd64")
BEFORE = Snapshot(["mount of /dev/a on /rhev/a: ext4, rw"], ["link red: bridge, mtu 1500, up"])
CAPS = {"software_version": "1.2.0", "nics": {}}
HEALTH = HealthReport(
    contract="7",
    release="1.2.0",
    pid=1,
    uptime=1.0,
    draining=False,
    connections=1,
    inFlight=0,
    calls=1,
    failures=0,
    overdue=[],
)


def container(name: str, image: str, status: str = "running") -> ContainerState:
    return ContainerState(name, status, f"localhost/{name}", image, "1.2.0", "abc", "7")


WELL = [
    container("supervdsm", PAIR.supervdsm),
    container("vdsm", PAIR.vdsm),
    container("vdsm-lldpd", PAIR.supervdsm),
]


def unit(name: str, active: str = "active", restarts: int = 0) -> str:
    return (
        f"Id={name}\nLoadState=loaded\nActiveState={active}\nSubState=running\nResult=success\n"
        f"ActiveEnterTimestampMonotonic=1000000\nNRestarts={restarts}\nMainPID=7\n"
    )


class Scene:
    """A host with a pair that is well, of which a test spoils one thing."""

    def __init__(self, root: Path) -> None:
        self.restarts = iter([0] * 1000)
        self.active: Callable[[str], str] = lambda _name: "active"
        self.containers = WELL
        self.health: HealthReport | ContractError = HEALTH
        self.answer: Answer | None = Answer(54321, "TLSv1.3", 0.01)
        self.caps: object = CAPS
        self.after = BEFORE
        self.told: list[str] = []
        self.asked = Asked()
        self.undone: list[str] = []
        self.host = Host(root, root / "proc", self._run)

    def _run(self, command: Sequence[str]) -> str:
        restarts = next(self.restarts)
        names = [word for word in command if word.endswith((".service", ".socket"))]
        return "\n".join(unit(name, self.active(name), restarts) for name in names)

    def check(self, before: Snapshot | None = BEFORE, patience: float = 0.0) -> list[str]:
        self.told = []
        return selftest.check(PAIR, before, self.host, self.told.append, patience)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    finding = fail("vdsm", "no answer on port 54321: timed out", "`journalctl`.")

    def take(host: Host) -> Snapshot:
        return scene.after

    def read(*, contract: str) -> HealthReport:
        if isinstance(scene.health, ContractError):
            raise scene.health
        if scene.health.contract != contract:
            raise VersionMismatch(server=scene.health.contract, client=contract)
        return scene.health

    def undone(
        devices: Collection[str], before: Snapshot, after: Snapshot, host: Host
    ) -> list[str]:
        assert (devices, before, after) == (scene.asked.devices, BEFORE, scene.after)
        return [*scene.undone]

    monkeypatch.setattr(asked, "read", lambda _path: scene.asked)
    monkeypatch.setattr(settled, "undone", undone)
    monkeypatch.setattr(selftest, "CALM", 0.05)
    monkeypatch.setattr(selftest, "_PAUSE", 0.01)
    monkeypatch.setattr(containers, "read_containers", lambda **_: scene.containers)
    monkeypatch.setattr(supervdsm, "read", read)
    monkeypatch.setattr(vdsm, "ask", lambda **_: (scene.answer, finding))
    monkeypatch.setattr(vdsm, "call", lambda *_, **__: scene.caps)
    monkeypatch.setattr(snapshot, "take", take)
    return scene


def test_a_pair_that_is_well_has_no_problem_and_says_what_was_seen(scene: Scene) -> None:
    assert scene.check() == []
    assert scene.told == [
        "Both services are active",
        "The containers run these images",
        "supervdsm says release 1.2.0",
        "vdsm says release 1.2.0, and has the networks",
        "Networks and mounts are as before",
    ]


def test_an_inactive_unit_is_a_problem_with_its_way_out(scene: Scene) -> None:
    scene.active = lambda name: "failed" if name == "vdsm.service" else "active"
    [problem] = scene.check()
    assert problem.startswith("vdsm.service: failed")
    assert "journalctl" in problem


def test_a_unit_that_becomes_active_in_time_is_waited_for(scene: Scene) -> None:
    ready = time.monotonic() + 0.1
    scene.active = lambda _name: "active" if time.monotonic() > ready else "activating"
    assert scene.check(patience=0.01) != []
    assert scene.check(patience=10) == []


def test_the_patience_ends(scene: Scene) -> None:
    scene.answer = None
    begin = time.monotonic()
    assert any("timed out" in problem for problem in scene.check(patience=0.2))
    assert time.monotonic() - begin < 2


def test_a_service_that_systemd_restarts_during_the_test_is_a_problem(scene: Scene) -> None:
    scene.restarts = iter([3, 3, 4])
    assert [problem.split(";")[0] for problem in scene.check()] == [
        "supervdsm.service ended during the test",
        "vdsm.service ended during the test",
    ]


def test_a_service_that_is_down_at_the_end_of_the_test_is_a_problem(scene: Scene) -> None:
    looks = iter(["active"] * 6 + ["activating"] * 2)
    scene.active = lambda _name: next(looks)
    assert len(scene.check()) == 2


def test_earlier_restarts_are_none(scene: Scene) -> None:
    scene.restarts = iter([3] * 10)
    assert scene.check() == []


@pytest.mark.parametrize("name", ["supervdsm", "vdsm", "vdsm-lldpd"])
def test_a_container_of_another_image_is_a_problem(scene: Scene, name: str) -> None:
    scene.containers = [
        msgspec.structs.replace(one, image_id="c" * 64) if one.name == name else one for one in WELL
    ]
    [problem] = scene.check()
    assert problem.startswith(f"The container {name} runs the image cccccccccccc and not")


def test_a_missing_container_is_a_problem(scene: Scene) -> None:
    scene.containers = WELL[1:]
    [problem] = scene.check()
    assert problem.startswith("There is no container supervdsm")


def test_podman_that_does_not_answer_is_a_problem(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*, beside: bool) -> list[ContainerState]:
        raise ToolError("podman does not answer", "`systemctl status podman.socket`.")

    monkeypatch.setattr(containers, "read_containers", refuse)
    assert scene.check() == ["podman does not answer; `systemctl status podman.socket`"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"release": "1.1.9"}, "supervdsm says release 1.1.9, and the label of its image release"),
        ({"contract": "6"}, "supervdsm speaks contract 6, and the label of its image contract 7"),
    ],
)
def test_a_supervdsm_that_is_not_what_its_label_says_is_not_waited_for(
    scene: Scene, change: dict[str, str], said: str
) -> None:
    scene.health = msgspec.structs.replace(HEALTH, **change)
    [problem] = scene.check(patience=60)
    assert problem.startswith(said)


def test_a_supervdsm_that_does_not_answer_is_a_problem(scene: Scene) -> None:
    scene.health = SupervdsmDied()
    [problem] = scene.check()
    assert problem.startswith("supervdsm does not answer")


def test_calls_beyond_their_limit_are_no_fault_of_the_pair(scene: Scene) -> None:
    scene.health = msgspec.structs.replace(HEALTH, overdue=["Mount 1"])
    assert scene.check() == []


@pytest.mark.parametrize("caps", [{"software_version": "1.1.9", "nics": {}}, None, "text"])
def test_a_vdsm_that_says_another_release_is_not_waited_for(scene: Scene, caps: object) -> None:
    scene.caps = caps
    [problem] = scene.check(patience=60)
    assert problem.startswith("vdsm says release")


def test_capabilities_without_what_supervdsm_reads_are_a_problem(scene: Scene) -> None:
    scene.caps = {"software_version": "1.2.0"}
    [problem] = scene.check()
    assert "no NICs" in problem


def test_a_lost_network_is_a_problem(scene: Scene) -> None:
    scene.after = Snapshot(BEFORE.mounts, [])
    [problem] = scene.check()
    assert problem.startswith("The link red: bridge, mtu 1500, up is gone; ")


def test_what_was_asked_for_meanwhile_is_told_and_no_problem(scene: Scene) -> None:
    scene.after = Snapshot([], [])
    scene.asked = Asked(frozenset({"/rhev/a"}), frozenset({"red"}))
    assert scene.check() == []
    told = [line for line in scene.told if line.startswith("Asked for meanwhile, no damage: The ")]
    assert [line.split("The ")[1] for line in told] == [
        "mount of /dev/a on /rhev/a: ext4, rw is gone",
        "link red: bridge, mtu 1500, up is gone",
    ]


def test_what_nobody_asked_for_is_lost_beside_what_somebody_did(scene: Scene) -> None:
    scene.after = Snapshot([], [])
    scene.asked = Asked(mounts=frozenset({"/rhev/a"}))
    [problem] = scene.check()
    assert problem.startswith("The link red: bridge, mtu 1500, up is gone; ")


def test_a_network_that_was_to_change_must_be_as_it_shall_be(scene: Scene) -> None:
    scene.after = Snapshot(BEFORE.mounts, [])
    scene.asked = Asked(devices=frozenset({"red"}))
    scene.undone = ["Of a change of networks is left to do: create bridge red"]
    [problem] = scene.check()
    assert problem.startswith("Of a change of networks is left to do: create bridge red; ")


def test_a_change_of_networks_that_is_under_way_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.after = Snapshot(BEFORE.mounts, [])
    scene.asked = Asked(devices=frozenset({"red"}))
    journal = scene.host.path(NETWORK_JOURNAL)
    journal.parent.mkdir(parents=True)
    journal.touch()
    looks = iter(range(3))

    def undone(*_: object) -> list[str]:
        if next(looks, None) is None:
            journal.unlink(missing_ok=True)
        return []

    monkeypatch.setattr(settled, "undone", undone)
    assert scene.check() == []
    assert next(looks, None) is None


def test_a_change_of_networks_is_not_waited_for_without_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "_CHANGE", 0.05)
    scene.after = Snapshot(BEFORE.mounts, [])
    journal = scene.host.path(NETWORK_JOURNAL)
    journal.parent.mkdir(parents=True)
    journal.touch()
    assert len(scene.check()) == 1


def test_a_change_of_networks_that_was_not_put_back_is_a_problem(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "_CHANGE", 0.05)
    journal = scene.host.path(NETWORK_JOURNAL)
    journal.parent.mkdir(parents=True)
    journal.touch()
    scene.asked = Asked(devices=frozenset({"red"}))
    assert scene.check() == []  # nothing is missing
    scene.after = Snapshot(BEFORE.mounts, [])
    [problem] = scene.check()
    assert problem.startswith("A change of networks has not come to its end; ")


def test_without_a_comparable_snapshot_the_rest_is_tested(scene: Scene) -> None:
    scene.after = Snapshot([], [])
    assert scene.check(before=None) == []
    assert scene.check(before=msgspec.structs.replace(BEFORE, format=2)) == []
    assert any("another release" in line for line in scene.told)
