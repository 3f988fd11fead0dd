# SPDX-License-Identifier: GPL-2.0-or-later
"""In CI, where everything is installed and root runs the tests, a test that is skipped has failed.

Only what depends on the machine's kernel or on what is asked for may be skipped; a higher ring, or
a command by hand, has it.
"""

import os
from collections.abc import Generator
from typing import Final

import pytest

MAY_SKIP: Final = frozenset(
    {
        "this kernel has no HFSC",
        "this kernel has HFSC",
        "this kernel has no KSM",
        "this kernel has no 2 MiB huge pages",
        "the root file system is not on a device",
        "this machine has a systemd to ask",
        "two minutes: VDSM_CHAOS=1 runs it, make chaos does more",
    }
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test fail in CI that was skipped for any other reason."""
    report = yield
    if not (report.skipped and os.environ.get("CI") and os.geteuid() == 0):
        return report
    reason = told(report)
    if reason not in MAY_SKIP:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason} (tests/skips.py has what may be)"
    return report


def told(report: pytest.TestReport) -> str:
    """Return the reason of a test that was skipped, or was expected to fail."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)
