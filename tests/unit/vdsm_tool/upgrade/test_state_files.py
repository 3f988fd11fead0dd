# SPDX-License-Identifier: GPL-2.0-or-later
"""Pins, the record of an upgrade, the history: torn, hostile, and of another format."""

from pathlib import Path

import msgspec
import pytest

from unit.vdsm_tool.upgrade.swapping import NEW, NEWER, OLD, FakeHost
from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import durable, history, journal, paths, pins
from vdsm_tool.upgrade.model import Entry, Kind, Outcome, Pair, Pending, Phase
from vdsm_tool.upgrade.run import run
from vdsm_tool.upgrade.undo import undo


def at(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


# --- pins -------------------------------------------------------------------------------------


def test_a_host_without_pins(tmp_path: Path) -> None:
    assert pins.current(tmp_path) is None


def test_the_pinned_pair_is_read_back(tmp_path: Path) -> None:
    pins.switch(tmp_path, OLD)
    pins.switch(tmp_path, NEW)
    assert pins.current(tmp_path) == NEW
    assert pins.pinned(tmp_path) == [OLD, NEW]
    link = at(tmp_path, paths.CURRENT)
    assert str(link.readlink()) == NEW.name
    assert f"Image={NEW.vdsm}\n" in (link / "vdsm.conf").read_text()
    assert f"Image={NEW.supervdsm}\n" in (link / "supervdsm.conf").read_text()


def test_writing_pins_changes_nothing_yet(tmp_path: Path) -> None:
    pins.switch(tmp_path, OLD)
    pins.prepare(tmp_path, NEW)
    assert pins.current(tmp_path) == OLD


@pytest.mark.parametrize("file", ["pair.json", "vdsm.conf", "supervdsm.conf"])
@pytest.mark.parametrize("text", ["", "{", "[Container]\nImage=evil\n", '{"vdsm": 1}', "[" * 9999])
def test_damaged_pins_are_named_and_written_anew(tmp_path: Path, file: str, text: str) -> None:
    pins.switch(tmp_path, OLD)
    (at(tmp_path, paths.CURRENT) / file).write_text(text)
    with pytest.raises(ToolError, match=f"{OLD.name}/{file}"):
        pins.current(tmp_path)
    assert not pins.is_current(tmp_path, OLD)
    pins.switch(tmp_path, OLD)
    assert pins.current(tmp_path) == OLD


@pytest.mark.parametrize("target", ["../../../root", "/etc/vdsm/pins/x", ".", ".."])
def test_a_link_that_leads_away_is_refused(tmp_path: Path, target: str) -> None:
    at(tmp_path, paths.PINS).mkdir(parents=True)
    at(tmp_path, paths.CURRENT).symlink_to(target)
    with pytest.raises(ToolError, match="leads out of"):
        pins.current(tmp_path)


def test_a_directory_in_the_place_of_the_link_is_refused(tmp_path: Path) -> None:
    at(tmp_path, paths.CURRENT).mkdir(parents=True)
    with pytest.raises(ToolError, match="is not a link"):
        pins.current(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "../../../tmp/x"},
        {"version": "1\nImage=evil"},
        {"vdsm": "latest"},
        {"vdsm": "a" * 64 + "\n"},
        {"supervdsm": "A" * 64},
    ],
)
def test_what_is_no_pair_is_not_pinned(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(ToolError, match=f"cannot be pinned: .*{next(iter(change))}"):
        pins.switch(tmp_path, msgspec.structs.replace(OLD, **change))
    assert not at(tmp_path, paths.PINS).exists()


# --- the record -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", '{"format": 1}', "null", "[1]", '{"format": "1"}', "\xff"),
        '{"format":1,"x":' + "[" * 9999,
    ],
)
def test_a_record_that_is_no_record_is_named(fake: FakeHost, text: str) -> None:
    pending = at(fake.root, paths.PENDING)
    pending.parent.mkdir(parents=True)
    pending.write_bytes(text.encode("latin-1"))
    for command in (run, undo):
        with pytest.raises(ToolError, match=r"/var/lib/vdsm/upgrade/pending\.json"):
            command(fake.host, fake.tell)
    assert fake.whole() == OLD
    assert pending.read_bytes() == text.encode("latin-1")


def test_a_record_of_another_format_is_left_alone(fake: FakeHost) -> None:
    fake.prepare()
    path = at(fake.root, paths.PENDING)
    text = path.read_text().replace('"format":1', '"format":2')
    path.write_text(text)
    with pytest.raises(journal.UnknownFormat, match="has format 2; this vdsm-tool knows 1"):
        undo(fake.host, fake.tell)
    assert path.read_text() == text


@pytest.mark.parametrize("field", ["old", "new"])
def test_a_record_with_a_hostile_pair_is_refused(fake: FakeHost, field: str) -> None:
    fake.prepare()
    path = at(fake.root, paths.PENDING)
    record = msgspec.json.decode(path.read_bytes())
    record[field]["version"] = "../../../../etc"
    path.write_bytes(msgspec.json.encode(record))
    with pytest.raises(ToolError, match=rf"pending\.json: .*{field}"):
        undo(fake.host, fake.tell)
    assert fake.whole() == OLD


def test_a_record_that_is_a_device_or_a_link_is_not_read(tmp_path: Path) -> None:
    path = at(tmp_path, paths.PENDING)
    path.parent.mkdir(parents=True)
    path.symlink_to("/etc/passwd")
    with pytest.raises(ToolError, match="cannot be read"):
        journal.read(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ToolError, match="cannot be read"):
        journal.read(tmp_path)


def test_a_temporary_file_of_a_crash_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / ".file.new").write_text("torn")
    durable.write(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_two_at_once(fake: FakeHost) -> None:
    fake.prepare()
    with (
        journal.locked(fake.root),
        pytest.raises(journal.Busy, match=r"The upgrade to 1\.1 of .* \(prepared\) is under way"),
        journal.locked(fake.root),
    ):
        pass
    with journal.locked(fake.root):
        pass


# --- history ----------------------------------------------------------------------------------


def entry(number: int, old: Pair | None, new: Pair, outcome: Outcome = Outcome.KEPT) -> Entry:
    return Entry(
        id=f"{number:016x}",
        kind=Kind.UPGRADE,
        source=[],
        started=2.0,
        ended=1.0,  # the clock was set back
        outcome=outcome,
        phase=Phase.KEPT,
        old=old,
        new=new,
    )


def test_the_previous_pair_is_what_ran_before_the_current_one(tmp_path: Path) -> None:
    assert history.previous(tmp_path, OLD) is None
    history.add(tmp_path, entry(1, None, OLD))
    history.add(tmp_path, entry(2, OLD, NEW))
    history.add(tmp_path, entry(3, NEW, NEWER, Outcome.ROLLED_BACK))
    assert history.previous(tmp_path, NEW) == OLD
    assert history.previous(tmp_path, OLD) is None
    history.add(tmp_path, entry(4, NEW, OLD))
    assert history.previous(tmp_path, OLD) == NEW


def test_an_upgrade_is_recorded_once(tmp_path: Path) -> None:
    history.add(tmp_path, entry(1, None, OLD))
    history.add(tmp_path, entry(1, None, OLD))
    assert len(history.read(tmp_path).entries) == 1


def test_an_upgrade_of_no_time_can_be_told_of(fake: FakeHost) -> None:
    pending = Pending(
        id="0" * 16,
        kind=Kind.UPGRADE,
        source=["x"],
        started=1e300,
        timeout=1,
        phase=Phase.FETCHING,
        old=OLD,
    )
    assert "1e+300" in journal.describe(pending)


@pytest.mark.parametrize(
    "line",
    [
        *("{", '{"format": 1}', '{"format": 7, "id": "x"}', "\x00\x01"),
        '{"format":1,"x":' + "[" * 9999,
    ],
)
def test_a_line_that_cannot_be_read_hides_no_other(tmp_path: Path, line: str) -> None:
    history.add(tmp_path, entry(1, None, OLD))
    path = at(tmp_path, paths.HISTORY)
    with path.open("a") as file:
        file.write(line + "\n")
    history.add(tmp_path, entry(2, OLD, NEW))
    found = history.read(tmp_path)
    assert [one.id for one in found.entries] == [f"{1:016x}", f"{2:016x}"]
    (complaint,) = found.complaints
    assert "history.jsonl" in complaint
    assert "line 2" in complaint
    assert line in path.read_text()
