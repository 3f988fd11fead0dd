# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm-tool as a process, and certificates that it made."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vdsm_tool.pki.files import PkiFiles

ROOT = Path(__file__).parents[3]

Tool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tool() -> Tool:
    """Run vdsm-tool with these arguments; return what it printed and its exit status."""

    def run(*arguments: str | Path, terminal: bool = False) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "vdsm_tool", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "src"),
                "VDSM_TOOL_TERMINAL": "1" if terminal else "0",
            },
        )

    return run


@pytest.fixture(scope="session")
def pki(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> PkiFiles:
    """A PKI directory made by `pki init`."""
    directory = tmp_path_factory.mktemp("pki")
    done = tool("pki", "init", "--dir", directory)
    assert done.returncode == 0, done.stderr
    return PkiFiles(directory)
