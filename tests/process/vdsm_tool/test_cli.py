# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line as a whole, on whatever machine runs the tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from process.vdsm_tool.conftest import ROOT, Tool

SYSTEMD_RUNS = Path("/run/systemd/system").is_dir()


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["status"],
        ["check"],
        ["net"],
        ["net", "show"],
        ["net", "plan"],
        ["net", "restore"],
        ["pki"],
        ["pki", "init"],
        ["pki", "renew"],
        ["sbom"],
    ],
)
def test_every_command_explains_itself(tool: Tool, command: list[str]) -> None:
    done = tool(*command, "--help")
    assert done.returncode == 0
    assert "usage: vdsm-tool" in done.stdout
    assert not command or "examples:" in done.stdout


def test_check_is_json_for_a_program_and_text_for_a_person(tool: Tool) -> None:
    findings = json.loads(tool("check").stdout)["findings"]
    text = tool("check", terminal=True).stdout
    for finding in findings:
        assert finding["name"] in text
        assert finding["wayOut"] in text


def test_the_exit_status_of_check_is_its_verdict(tool: Tool) -> None:
    done = tool("check", "--json")
    assert done.returncode == (json.loads(done.stdout)["verdict"] == "fail")


@pytest.mark.skipif(SYSTEMD_RUNS, reason="this machine has a systemd to ask")
def test_status_without_systemd_cannot_tell_and_says_why(tool: Tool) -> None:
    done = tool("status")
    assert done.returncode == 2
    assert "systemd cannot be asked" in done.stderr
    assert "->" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    # The pipe's reading end is closed before the first line is written.
    with subprocess.Popen(
        [sys.executable, "-m", "vdsm_tool", "check", "--text"],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
