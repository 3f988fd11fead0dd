# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm.conf: defaults, order of the files, and errors that name file and line."""

from pathlib import Path

import pytest

from vdsm.config import Config, ConfigError, load


def write(directory: Path, text: str, name: str = "vdsm.conf") -> None:
    file = directory / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def test_without_files_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path) == Config()
    assert Config().ssl


def test_later_files_win(tmp_path: Path) -> None:
    write(tmp_path, "[vars]\nssl = false\n[rpc]\nworker_threads = 4\n")
    write(tmp_path, "[rpc]\nworker_threads: 5\n", "vdsm.conf.d/20-x.conf")
    write(tmp_path, "[rpc]\nworker_threads = 6\n", "vdsm.conf.d/10-x.conf")
    write(tmp_path, "[rpc]\nworker_threads = 7\n", "vdsm.conf.d/note.txt")
    assert load(tmp_path) == Config(ssl=False, worker_threads=5)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[vars]\n\nssl = maybe\n", 3, "true or false"),
        ("[vars]\nsls = true\n", 2, "no setting [vars] sls"),
        ("# x\n[wars]\nssl = true\n", 3, "no setting [wars] ssl"),
        ("[addresses]\nmanagement_port = 0\n", 2, "from 1 to 65535"),
        ("[addresses]\nmanagement_ip = here\n", 2, "IP address"),
        ("[rpc]\nworker_threads = many\n", 2, "a number"),
        ("ssl = true\n", 1, "section"),
        ("[vars]\nssl\n", 2, "ssl"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "vdsm.conf") in message
    assert f"line {line}" in message or f"line: {line}" in message or f"line  {line}" in message
    assert why in message
