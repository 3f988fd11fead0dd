# SPDX-License-Identifier: GPL-2.0-or-later
"""What sanlock and wdmd are started with."""

from pathlib import Path

import pytest

from supervdsm.storage.sanlock_daemon import host_name, sanlock_command, watchdog_device
from vdsm_contract.config import Config


@pytest.mark.parametrize(
    ("setting", "there", "used"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("yes", False, True),
        ("no", True, False),
    ],
)
def test_the_watchdog_is_used_when_the_host_has_one_or_as_it_is_told(
    tmp_path: Path, setting: str, there: bool, used: bool
) -> None:
    if there:
        (tmp_path / "watchdog").touch()
    assert watchdog_device(Config(watchdog=setting), tmp_path) is used


def test_leases_carry_the_host_s_own_id(tmp_path: Path) -> None:
    assert host_name(tmp_path) is None
    (tmp_path / "vdsm.id").write_text("4c4c4544-0042-4a10-8052-b4c04f503132\n")
    name = host_name(tmp_path)
    assert name == "4c4c4544-0042-4a10-8052-b4c04f503132"
    command = sanlock_command(watchdog=False, name=name)
    assert command[-2:] == ["-e", name]
    assert command[command.index("-w") + 1] == "0"


@pytest.mark.parametrize("text", ["", "two words", "-x", "a" * 49, "a\nb", "../x"])
def test_a_name_that_sanlock_cannot_have_is_not_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "vdsm.id").write_text(text)
    assert host_name(tmp_path) is None


def test_without_a_name_sanlock_finds_one(tmp_path: Path) -> None:
    command = sanlock_command(watchdog=True, name=host_name(tmp_path))
    assert "-e" not in command
    assert command[command.index("-w") + 1] == "1"
