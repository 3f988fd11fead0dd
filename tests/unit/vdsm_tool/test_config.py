# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool config`: what is in force and where it comes from; what vdsm would not start with."""

import json
from pathlib import Path

import pytest

from vdsm_tool import cli
from vdsm_tool.commands import config as command
from vdsm_tool.host import Host


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's vdsm.conf, which is there and empty."""
    host = Host(tmp_path, Path("/proc"), lambda _command: "")
    monkeypatch.setattr(command, "this_host", lambda: host)
    file = tmp_path / "etc/vdsm/vdsm.conf"
    file.parent.mkdir(parents=True)
    file.write_text("")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(path.stat().st_mode | 0o055)  # vdsm's user is to reach the file
    return file


def test_each_setting_is_shown_with_its_origin(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf.write_text("[rpc]\nworker_threads = 4\n[vars]\nmigration_downtime = 1\n")
    assert cli.main(["config", "--text"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["[rpc]", "worker_threads", "4", "/etc/vdsm/vdsm.conf:2"] in lines
    assert ["[vars]", "ssl", "true", "default"] in lines
    assert lines[-2:] == [
        ["without", "effect", "here:"],
        ["[vars]", "migration_downtime", "1", "/etc/vdsm/vdsm.conf:4"],
    ]


def test_a_program_gets_json(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf.write_text("[vars]\nssl = false\nvdsm_nice = 1\n")
    assert cli.main(["config"]) == 0
    shown = json.loads(capsys.readouterr().out)
    settings = {one["key"]: one for one in shown["settings"]}
    assert shown["files"] == ["/etc/vdsm/vdsm.conf"]
    assert settings["ssl"]["value"] == "false"
    assert settings["ssl"]["origin"] == {"file": "/etc/vdsm/vdsm.conf", "line": 2}
    assert settings["management_port"]["origin"] is None
    assert settings["management_port"]["value"] == "54321"
    assert [one["key"] for one in shown["withoutEffect"]] == ["vdsm_nice"]


@pytest.mark.parametrize("words", [["config"], ["config", "--check"]])
def test_what_is_wrong_is_said_and_the_status_is_1(
    conf: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    conf.write_text("[vars]\nsls = true\n")
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert "/etc/vdsm/vdsm.conf, line 2: there is no setting [vars] sls" in said.out + said.err


def test_a_file_that_vdsm_may_not_read_is_wrong_even_for_root(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf.chmod(0)
    assert cli.main(["config", "--check"]) == 1
    expected = "vdsm: /etc/vdsm/vdsm.conf cannot be read: Permission denied\n"
    assert capsys.readouterr().out == expected


def test_right_files_pass_without_a_word(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conf.exists()
    assert cli.main(["config", "--check"]) == 0
    assert capsys.readouterr().out == ""
