# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios that mount something: programs with a mount namespace of their own, which print what
they saw as JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_TESTS = Path(__file__).parents[1]


def what_it_saw(program: Path, directory: Path) -> dict[str, Any]:
    """Runs a scenario with a directory for its files; what it prints. Skips without root."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    ran = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, program, directory],
        env={**os.environ, "PYTHONPATH": f"{_TESTS.parent / 'src'}:{_TESTS}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    result: dict[str, Any] = json.loads(ran.stdout)
    return result
