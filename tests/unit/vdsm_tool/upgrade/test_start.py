# SPDX-License-Identifier: GPL-2.0-or-later
"""What the operator's commands do: begin an upgrade, follow it, refuse one, go back, pin."""

from collections.abc import Callable, Sequence

import pytest

from unit.vdsm_tool.upgrade.conftest import KillAfter
from unit.vdsm_tool.upgrade.swapping import NEW, NEWER, OLD, VDSM, FakeHost, Killed, Unit
from vdsm_tool.commands import pin, upgrade
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import fetch, history, journal, paths, pins, start
from vdsm_tool.upgrade.model import Entry, Kind, Outcome, Pair, Step, Tell
from vdsm_tool.upgrade.run import run
from vdsm_tool.upgrade.services import UPGRADE
from vdsm_tool.upgrade.undo import undo


@pytest.fixture
def unit_runs(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let systemd do its work whenever somebody waits for it."""

    def sleep(_seconds: float) -> None:
        if fake.units[UPGRADE].active != "activating":
            return
        fake.units[UPGRADE] = Unit()
        try:
            run(fake.host, fake.tell)
        except ToolError:
            undo(fake.host, fake.tell)

    monkeypatch.setattr("vdsm_tool.upgrade.start.time.sleep", sleep)


def swap(fake: FakeHost, get: Callable[[], Pair] = lambda: NEW) -> Entry:
    return start.upgrade(Kind.UPGRADE, ["new.tar"], get, fake.host, fake.tell, timeout=30)


@pytest.mark.usefixtures("unit_runs")
def test_an_upgrade_and_back_and_forward_again(fake: FakeHost) -> None:
    assert swap(fake).outcome is Outcome.KEPT
    assert fake.whole() == NEW
    for wanted in (OLD, NEW):
        back = start.previous(fake.host)
        entry = start.upgrade(Kind.ROLLBACK, [], back, fake.host, fake.tell, timeout=30)
        assert (entry.kind, entry.outcome) == (Kind.ROLLBACK, Outcome.KEPT)
        assert fake.whole() == wanted


@pytest.mark.usefixtures("unit_runs")
def test_an_upgrade_that_is_put_back_says_why(fake: FakeHost) -> None:
    fake.problems[NEW.version] = ["it is bad"]
    entry = swap(fake)
    assert entry.outcome is Outcome.ROLLED_BACK
    (line,) = upgrade.lines(entry)
    assert "1.0" in line
    assert "serves again" in line
    assert "it is bad" in line


@pytest.mark.usefixtures("unit_runs")
def test_the_operator_is_told_of_tasks_and_the_upgrade_goes_on(fake: FakeHost) -> None:
    fake.tasks = [["task 1 (copyImage), running"]]
    assert swap(fake).outcome is Outcome.KEPT
    assert "Runs in vdsm: task 1 (copyImage), running" in fake.told


def test_the_pair_that_runs_is_left_alone(fake: FakeHost) -> None:
    entry = swap(fake, lambda: OLD)
    assert entry.outcome is Outcome.UNCHANGED
    assert upgrade.show(entry, as_json=True) == 0
    assert history.read(fake.root).entries == []
    assert journal.read(fake.root) is None


def test_what_cannot_be_fetched_is_in_the_history(fake: FakeHost) -> None:
    def get() -> Pair:
        raise ToolError("the archive is cut short", "get it again")

    with pytest.raises(ToolError, match="cut short"):
        swap(fake, get)
    (entry,) = history.read(fake.root).entries
    assert (entry.outcome, entry.reason) == (Outcome.REFUSED, "the archive is cut short")
    assert journal.read(fake.root) is None
    assert fake.whole() == OLD


def test_ctrl_c_while_fetching_ends_it(fake: FakeHost) -> None:
    def get() -> Pair:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap(fake, get)
    (entry,) = history.read(fake.root).entries
    assert entry.reason == "Interrupted by the operator"


def test_ctrl_c_during_the_swap_lets_it_go_on(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vdsm_tool.upgrade.start.time.sleep", sleep)
    with pytest.raises(start.Detached, match="goes on without you"):
        swap(fake)
    assert journal.read(fake.root) is not None
    run(fake.host, fake.tell)
    assert fake.whole() == NEW


@pytest.mark.parametrize("step", [Step.FETCHING, Step.FETCHED, Step.PREPARED, Step.NAMED])
@pytest.mark.usefixtures("unit_runs")
def test_a_command_that_was_killed_is_cleared_up_by_the_next(
    fake: FakeHost, kill_after: KillAfter, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_after(step)
    with monkeypatch.context() as patch:
        patch.setattr(start, "_refuse", lambda *_args: None)  # a SIGKILL runs nothing
        with pytest.raises(Killed):
            swap(fake)
    kill_after(None)
    assert fake.whole() == OLD
    assert swap(fake).outcome is Outcome.KEPT
    first, second = history.read(fake.root).entries
    assert (first.outcome, first.reason) == (Outcome.REFUSED, "The command was killed")
    assert second.outcome is Outcome.KEPT


def test_a_second_upgrade_is_refused(fake: FakeHost) -> None:
    fake.prepare()
    fake.units[UPGRADE].active = "activating"
    with pytest.raises(journal.Busy, match=r"The upgrade to 1\.1"):
        swap(fake)
    with journal.locked(fake.root), pytest.raises(journal.Busy):
        swap(fake)


def test_an_upgrade_that_was_not_undone_must_be_first(
    fake: FakeHost, kill_after: KillAfter
) -> None:
    fake.prepare()
    kill_after(Step.PINNED)
    with pytest.raises(Killed):
        run(fake.host, fake.tell)
    kill_after(None)
    with pytest.raises(ToolError, match="not brought to an end") as raised:
        swap(fake)
    assert "upgrade-undo" in raised.value.hint


@pytest.mark.parametrize("broken", ["down", "other"])
def test_only_a_pair_that_serves_is_swapped(fake: FakeHost, broken: str) -> None:
    if broken == "down":
        fake.units[VDSM].active = "failed"
    else:
        fake.units[VDSM].image = NEWER.vdsm
    with pytest.raises(ToolError, match=r"vdsm\.service does not run|other images run"):
        swap(fake)
    assert journal.read(fake.root) is None


@pytest.mark.usefixtures("unit_runs")
def test_a_host_without_pins_goes_back_to_what_ran(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fake.root / "etc/vdsm/pins/current").unlink()

    def examine(sources: Sequence[str], _host: Host, _tell: Tell) -> Pair:
        assert list(sources) == [OLD.vdsm, OLD.supervdsm]
        return OLD

    monkeypatch.setattr(fetch, "examine", examine)
    fake.problems[NEW.version] = ["it is bad"]
    assert swap(fake).outcome is Outcome.ROLLED_BACK
    assert fake.whole() == OLD


def test_a_rollback_needs_a_pair_and_its_images(fake: FakeHost) -> None:
    with pytest.raises(ToolError, match="no pair to go back to"):
        start.previous(fake.host)()
    history.add(fake.root, start.make_entry(Kind.UPGRADE, [], NEW, OLD, Outcome.KEPT))
    fake.images.discard(NEW.supervdsm)
    with pytest.raises(ToolError, match=f"images of 1.1 are gone: {NEW.supervdsm[:12]}"):
        start.previous(fake.host)()


def test_pinning_starts_nothing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "examine", lambda *_args: NEW)
    assert pin.pin(["a", "b"], fake.host, fake.tell).outcome is Outcome.KEPT
    assert pins.current(fake.root) == NEW
    assert fake.units[VDSM].image == OLD.vdsm
    assert fake.units[VDSM].loaded == NEW.vdsm
    assert pin.pin(["a", "b"], fake.host, fake.tell).outcome is Outcome.UNCHANGED
    assert [entry.kind for entry in history.read(fake.root).entries] == [Kind.INSTALL]


def test_pinning_repairs_damaged_pins(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake.root / "etc/vdsm/pins" / OLD.name / "pair.json").write_text("{")
    monkeypatch.setattr(fetch, "examine", lambda *_args: OLD)
    pin.pin(["a", "b"], fake.host, fake.tell)
    assert fake.whole() == OLD


def test_a_dry_run_changes_nothing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in fake.root.rglob("*")}
    monkeypatch.setattr(fetch, "examine", lambda *_args: NEW)
    entry = upgrade.dry_run(["new.tar"], fake.host, fake.tell)
    assert entry.outcome is Outcome.DRY_RUN
    assert {path: path.stat().st_mtime_ns for path in fake.root.rglob("*")} == before


def test_progress_of_the_unit_reaches_the_operator(fake: FakeHost) -> None:
    follower = start.Follower(fake.host, fake.tell)
    path = fake.host.path(paths.PROGRESS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("one\ntw")
    follower.poll()
    with path.open("a") as file:
        file.write("o\n")
    follower.poll()
    assert fake.told[-2:] == ["one", "two"]
