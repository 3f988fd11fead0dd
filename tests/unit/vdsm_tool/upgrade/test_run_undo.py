# SPDX-License-Identifier: GPL-2.0-or-later
"""The swap and its way back: ended after each step, by an error, a SIGKILL or a power cut."""

import time
from contextlib import suppress

import pytest

from unit.vdsm_tool.upgrade.conftest import KillAfter
from unit.vdsm_tool.upgrade.swapping import (
    BEFORE_KEPT,
    NEW,
    OLD,
    ORDER,
    RUN_STEPS,
    VDSM,
    FakeHost,
    Killed,
)
from vdsm_contract import asked
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import history, journal, pins, selftest, snapshot
from vdsm_tool.upgrade.model import Outcome, Pair, Phase, Step
from vdsm_tool.upgrade.run import run
from vdsm_tool.upgrade.snapshot import Snapshot
from vdsm_tool.upgrade.undo import undo

UNTOUCHED = (Step.SEEN, Step.WRITTEN)


def outcome(fake: FakeHost) -> Outcome:
    (entry,) = history.read(fake.root).entries
    return entry.outcome


def assert_tidy(fake: FakeHost) -> None:
    assert journal.read(fake.root) is None
    assert not (fake.root / ORDER).exists()
    assert not list((fake.root / "etc/vdsm/pins").glob(".*"))


def test_a_new_pair_that_is_well_stays(fake: FakeHost) -> None:
    fake.prepare()
    run(fake.host, fake.tell)
    assert fake.whole() == NEW
    assert fake.tested == [NEW]
    assert fake.before == snapshot.take(fake.host)
    assert fake.told[1:] == [line for step in RUN_STEPS for line in _lines(step)]
    assert outcome(fake) is Outcome.KEPT
    assert_tidy(fake)


def _lines(step: Step) -> list[str]:
    ready = ["supervdsm.service is ready", "vdsm.service is ready"]
    return [*(ready if step is Step.RESTARTED else []), step.value]


@pytest.mark.parametrize("step", RUN_STEPS)
def test_killed_after_a_step_one_pair_serves(
    fake: FakeHost, kill_after: KillAfter, step: Step
) -> None:
    fake.prepare()
    kill_after(step)
    with pytest.raises(Killed):
        run(fake.host, fake.tell)
    kill_after(None)
    undo(fake.host, fake.tell, result="signal 9")
    kept = step not in BEFORE_KEPT
    assert fake.whole() == (NEW if kept else OLD)
    if kept:
        assert outcome(fake) is Outcome.KEPT
    else:
        assert outcome(fake) is (Outcome.REFUSED if step in UNTOUCHED else Outcome.ROLLED_BACK)
    assert_tidy(fake)


@pytest.mark.parametrize("step", RUN_STEPS)
def test_a_power_cut_after_a_step_and_one_pair_serves_after_the_boot(
    fake: FakeHost, kill_after: KillAfter, step: Step
) -> None:
    fake.prepare()
    kill_after(step)
    with pytest.raises(Killed):
        run(fake.host, fake.tell)
    kill_after(None)
    fake.boot()
    undo(fake.host, fake.tell, boot=True)
    assert not fake.containers()  # it starts nothing
    fake.start_all()
    assert fake.whole() == (OLD if step in BEFORE_KEPT else NEW)
    assert_tidy(fake)


@pytest.mark.parametrize("boot", [False, True])
@pytest.mark.parametrize("step", [Step.PINNED, Step.SWITCHED, Step.RESTARTING, Step.TESTED])
def test_the_way_back_may_be_cut_off_anywhere(
    fake: FakeHost, kill_after: KillAfter, step: Step, boot: bool
) -> None:
    for cut in range(1, 20):
        fake.serve(OLD)
        fake.prepare()
        kill_after(step)
        with pytest.raises(Killed):
            run(fake.host, fake.tell)
        kill_after(None)
        if boot:
            fake.boot()
        ended = _undo_until(fake, cut, boot=boot)
        undo(fake.host, fake.tell, boot=boot)
        if boot:
            fake.start_all()
        assert fake.whole() == OLD
        assert_tidy(fake)
        (fake.root / "var/lib/vdsm/upgrade/history.jsonl").unlink()
        if ended:
            break
    assert cut > 2


def _undo_until(fake: FakeHost, cut: int, *, boot: bool) -> bool:
    """Undo, killed at the line number `cut` of what it tells; return whether it came to its end."""
    lines = 0

    def tell(_line: str) -> None:
        nonlocal lines
        lines += 1
        if lines == cut:
            raise Killed

    try:
        undo(fake.host, tell, boot=boot)
    except Killed:
        return False
    return True


@pytest.mark.parametrize("image", [NEW.vdsm, NEW.supervdsm])
def test_a_new_pair_that_crashes_is_put_back(fake: FakeHost, image: str) -> None:
    fake.prepare()
    fake.crashing.add(image)
    with pytest.raises(ToolError, match=r"service did not start: it ended before READY"):
        run(fake.host, fake.tell)
    undo(fake.host, fake.tell, result="exit-code 1")
    assert fake.whole() == OLD
    assert fake.tested == [OLD]
    (entry,) = history.read(fake.root).entries
    assert entry.outcome is Outcome.ROLLED_BACK
    assert "ended before READY" in entry.reason
    assert_tidy(fake)


@pytest.mark.usefixtures("quick")
def test_a_new_pair_that_hangs_is_put_back(fake: FakeHost) -> None:
    fake.prepare()
    fake.hanging.add(NEW.vdsm)
    with pytest.raises(ToolError, match=r"vdsm\.service did not say READY in time"):
        run(fake.host, fake.tell)
    undo(fake.host, fake.tell)
    assert fake.whole() == OLD


def test_a_new_pair_that_fails_its_test_is_put_back(fake: FakeHost) -> None:
    fake.prepare()
    fake.problems[NEW.version] = ["the mount a on /b is gone"]
    with pytest.raises(ToolError, match="the mount a on /b is gone"):
        run(fake.host, fake.tell)
    entry = undo(fake.host, fake.tell)
    assert entry is not None
    assert "the mount a on /b is gone" in entry.reason
    assert entry.phase is Phase.RESTARTED
    assert fake.whole() == OLD


def test_the_whole_has_a_limit(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    pending = fake.prepare()
    journal.update(fake.root, pending, timeout=0.1)

    def hang(_host: object) -> None:
        time.sleep(30)

    monkeypatch.setattr(snapshot, "take", hang)
    with pytest.raises(ToolError, match=r"The upgrade took longer than 0\.1 s"):
        run(fake.host, fake.tell)
    entry = undo(fake.host, fake.tell)
    assert entry is not None
    assert entry.outcome is Outcome.REFUSED
    assert entry.reason == "The upgrade took longer than 0.1 s"


def test_units_that_do_not_follow_the_pins_are_not_restarted(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.prepare()
    monkeypatch.setattr(fake, "load", lambda: None)
    started = fake.units[VDSM].invocation
    with pytest.raises(ToolError, match="The units do not follow the pins"):
        run(fake.host, fake.tell)
    undo(fake.host, fake.tell)
    assert fake.units[VDSM].invocation == started
    assert outcome(fake) is Outcome.ROLLED_BACK
    assert fake.whole() == OLD


def test_an_old_pair_that_does_not_serve_any_more_is_said(fake: FakeHost) -> None:
    fake.prepare()
    fake.problems = {NEW.version: ["it is bad"], OLD.version: ["this one, too"]}
    with pytest.raises(ToolError):
        run(fake.host, fake.tell)
    entry = undo(fake.host, fake.tell)
    assert entry is not None
    assert entry.outcome is Outcome.BROKEN
    assert "it is bad" in entry.reason
    assert "the old pair is not well: this one, too" in entry.reason
    assert fake.whole() == OLD
    assert_tidy(fake)


@pytest.mark.parametrize("boot", [False, True])
def test_an_old_image_that_is_gone_is_said(fake: FakeHost, boot: bool) -> None:
    fake.prepare()
    fake.problems = {NEW.version: ["it is bad"]}
    with pytest.raises(ToolError):
        run(fake.host, fake.tell)
    fake.images.discard(OLD.vdsm)
    if boot:
        fake.boot()
    entry = undo(fake.host, fake.tell, boot=boot)
    if boot:
        fake.start_all()
    assert entry is not None
    assert entry.outcome is Outcome.BROKEN
    assert f"podman has no image {OLD.vdsm[:12]} of 1.0 any more" in entry.reason
    assert fake.whole() == NEW
    assert_tidy(fake)


def test_a_shutdown_leaves_the_rest_to_the_next_boot(fake: FakeHost) -> None:
    fake.prepare()
    fake.problems = {NEW.version: ["it is bad"]}
    with pytest.raises(ToolError):
        run(fake.host, fake.tell)
    fake.stopping = True
    with pytest.raises(ToolError, match="shutting down"):
        undo(fake.host, fake.tell)
    assert pins.current(fake.root) == OLD
    fake.boot()
    fake.stopping = False
    entry = undo(fake.host, fake.tell, boot=True)
    fake.start_all()
    assert entry is not None
    assert "it is bad" in entry.reason
    assert fake.whole() == OLD


def test_at_a_boot_nothing_is_undone_under_services_that_run(fake: FakeHost) -> None:
    fake.prepare()
    with pytest.raises(ToolError, match="this is no boot"):
        undo(fake.host, fake.tell, boot=True)
    assert journal.read(fake.root) is not None


def test_a_full_disk_does_not_stop_the_switch_back(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, kill_after: KillAfter
) -> None:
    fake.prepare()
    kill_after(Step.RESTARTING)
    with pytest.raises(Killed):
        run(fake.host, fake.tell)
    kill_after(None)

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    with monkeypatch.context() as patch:
        patch.setattr("vdsm_tool.upgrade.durable.write", full)
        patch.setattr("pathlib.Path.symlink_to", full)
        pins.switch(fake.root, OLD)
    assert pins.current(fake.root) == OLD


def test_only_what_is_prepared_is_run(fake: FakeHost) -> None:
    with pytest.raises(ToolError, match="No upgrade is prepared"):
        run(fake.host, fake.tell)
    assert undo(fake.host, fake.tell) is None


@pytest.mark.parametrize("problems", [[], ["it is bad"]])
def test_what_is_asked_for_is_noted_from_the_first_look_to_the_end(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, problems: list[str]
) -> None:
    path = fake.host.path(asked.PATH)
    seen: list[bool] = []

    def look(*_: object) -> None:
        seen.append(path.exists())

    def take(_host: Host) -> Snapshot:
        look()
        return Snapshot([], [])

    def check(pair: Pair, *_: object) -> list[str]:
        look()
        return problems if pair == NEW else []

    monkeypatch.setattr(snapshot, "take", take)
    monkeypatch.setattr(selftest, "check", check)
    fake.prepare()
    with suppress(ToolError):
        run(fake.host, fake.tell)
    undo(fake.host, fake.tell)
    assert fake.whole() == (OLD if problems else NEW)
    assert seen == [True] * (3 if problems else 2)
    assert not path.exists()
