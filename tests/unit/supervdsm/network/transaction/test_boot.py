# SPDX-License-Identifier: GPL-2.0-or-later
"""The mark of a boot: it outlives supervdsm, and not the boot."""

from pathlib import Path

import pytest

from supervdsm.network.transaction.boot import BootMark


@pytest.fixture
def boot_id(tmp_path: Path) -> Path:
    file = tmp_path / "boot_id"
    file.write_text("first\n")
    return file


def test_a_boot_begins_without_a_mark(tmp_path: Path, boot_id: Path) -> None:
    mark = BootMark(tmp_path, boot_id)
    assert (mark.restored, mark.attempts) == (False, 0)


def test_the_next_supervdsm_of_a_boot_sees_the_mark(tmp_path: Path, boot_id: Path) -> None:
    BootMark(tmp_path, boot_id).begin()
    BootMark(tmp_path, boot_id).begin()
    mark = BootMark(tmp_path, boot_id)
    assert (mark.restored, mark.attempts) == (False, 2)
    mark.finish()
    assert BootMark(tmp_path, boot_id).restored


def test_another_boot_does_not(tmp_path: Path, boot_id: Path) -> None:
    BootMark(tmp_path, boot_id).finish()
    boot_id.write_text("second\n")
    mark = BootMark(tmp_path, boot_id)
    assert (mark.restored, mark.attempts) == (False, 0)


def test_upstream_s_mark_counts(tmp_path: Path, boot_id: Path) -> None:
    (tmp_path / "nets_restored").touch()
    assert BootMark(tmp_path, boot_id).restored


def test_a_mark_that_makes_no_sense_is_none(tmp_path: Path, boot_id: Path) -> None:
    (tmp_path / "nets_restored").write_text("{")
    assert not BootMark(tmp_path, boot_id).restored


def test_a_mark_that_cannot_be_written_is_an_error(tmp_path: Path, boot_id: Path) -> None:
    with pytest.raises(OSError):
        BootMark(tmp_path / "missing", boot_id).begin()


def test_a_mark_that_is_none_is_no_mark(tmp_path: Path, boot_id: Path) -> None:
    BootMark(tmp_path, boot_id).begin()
    [file] = [path for path in tmp_path.rglob("*") if path.is_file() and path != boot_id]
    file.write_text('{"x":' + "[" * 9999)
    assert BootMark(tmp_path, boot_id).attempts == 0
