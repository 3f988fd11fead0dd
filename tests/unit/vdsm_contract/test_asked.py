# SPDX-License-Identifier: GPL-2.0-or-later
"""What was asked for during an upgrade: it is noted only then, and says no more than that."""

import logging
import os
from pathlib import Path

import pytest

from vdsm_contract import asked
from vdsm_contract.asked import Asked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / asked.FILE_NAME


def test_without_an_upgrade_nothing_is_written(path: Path) -> None:
    with asked.noted(path, mounts=["/rhev/a"]):
        pass
    assert not path.exists()
    assert asked.read(path) == Asked()


def test_it_is_noted_before_the_call_does_anything(path: Path) -> None:
    asked.begin(path)
    with asked.noted(path, mounts=["/rhev/a b"], devices=["red", "eth0"]):
        seen = asked.read(path)
    assert seen == Asked(frozenset({"/rhev/a b"}), frozenset({"red", "eth0"})) == asked.read(path)


def test_a_call_that_was_under_way_when_the_upgrade_began_is_noted_too(path: Path) -> None:
    def fail() -> None:
        with asked.noted(path, devices=["red"]):
            asked.begin(path)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert asked.read(path).devices == {"red"}


def test_the_next_upgrade_knows_nothing_of_it(path: Path) -> None:
    asked.begin(path)
    with asked.noted(path, mounts=["/rhev/a"]):
        pass
    asked.end(path)
    asked.end(path)
    assert asked.read(path) == Asked()
    path.write_text('{"mounts":["/rhev/old"]}\n')
    asked.begin(path)
    assert asked.read(path) == Asked()


def test_a_line_that_is_cut_off_spoils_no_other(path: Path) -> None:
    path.write_bytes(b'{"mounts":["/rhev/a"]}\n\xff\n[1]\n{"mounts":["/rhev/b')
    assert asked.read(path) == Asked(frozenset({"/rhev/a"}))


def test_a_note_after_one_that_was_cut_off_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked.begin(path)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, line: write(fd, line[:12]))
        with caplog.at_level(logging.WARNING), asked.noted(path, mounts=["/rhev/a"]):
            pass
    assert "12 of " in caplog.text
    with asked.noted(path, mounts=["/rhev/b"], mirrored=["red"]):
        pass
    assert asked.read(path) == Asked(frozenset({"/rhev/b"}), mirrored=frozenset({"red"}))


def test_a_name_that_is_no_utf_8_fails_no_call(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked.begin(path)
    with caplog.at_level(logging.WARNING), asked.noted(path, mounts=["/rhev/\udcff"]):
        pass
    assert "may take what was asked for now for damage" in caplog.text
    assert asked.read(path) == Asked()


def test_it_does_not_grow_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.begin(path)
    monkeypatch.setattr(asked, "_MOST", 100)
    for number in range(100):
        with asked.noted(path, mounts=[f"/rhev/{number}"]):
            pass
    assert path.stat().st_size <= 100


def test_a_place_that_cannot_be_written_fails_no_call(path: Path) -> None:
    path.mkdir()
    with asked.noted(path, mounts=["/rhev/a"]):
        pass
    link = path.with_name("link")
    link.symlink_to(path.with_name("elsewhere"))
    with asked.noted(link, mounts=["/rhev/a"]):
        pass
    assert not path.with_name("elsewhere").exists()
