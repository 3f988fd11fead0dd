# SPDX-License-Identifier: GPL-2.0-or-later
"""In CI nothing is skipped unnoticed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skips

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="CI runs as root")

TESTS = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason="no such tool")
def test_marked():
    raise AssertionError

def test_asks():
    pytest.skip("no such tool")

@pytest.fixture
def tool():
    pytest.skip("no such tool")

def test_with_a_fixture(tool):
    raise AssertionError

def test_may():
    pytest.skip({may!r})
"""


def outcome(directory: Path, **environment: str) -> str:
    """Run those tests with the plugin; return pytest's last line."""
    (directory / "test_some.py").write_text(TESTS.format(may=min(skips.MAY_SKIP)))
    here = Path(skips.__file__).parent
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "skips", "-p", "no:cacheprovider", "."],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(here), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()[-1]


def test_a_test_that_is_skipped_in_ci_fails(tmp_path: Path) -> None:
    assert outcome(tmp_path, CI="true").startswith("1 failed, 1 passed, 1 skipped, 2 errors in ")


def test_elsewhere_it_is_skipped(tmp_path: Path) -> None:
    assert outcome(tmp_path).startswith("1 passed, 4 skipped in ")
