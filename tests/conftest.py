# SPDX-License-Identifier: GPL-2.0-or-later
"""For all rings: hypothesis without time limits, the same in each CI run; figures for people.

SIGTERM ends a run as Ctrl-C does, so that machines which were started go with it.
"""

import os
import signal
from types import FrameType
from typing import NoReturn

import pytest
from hypothesis import settings

from machines import Report

pytest_plugins = ["skips"]

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure() -> None:
    """Take SIGTERM for Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    """Prints at once, also when the test passes and the output is captured."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", flush=True)

    return show
