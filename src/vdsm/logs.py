# SPDX-License-Identifier: GPL-2.0-or-later
"""Logging to stderr, with the journal's priority prefix when stderr is the journal.

Sources: sd-daemon(3) for the prefixes, systemd.exec(5) for JOURNAL_STREAM.
"""

from __future__ import annotations

import logging
import os
import sys

_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class _JournalFormatter(logging.Formatter):
    """Puts `<N>` before each line; the journal has its own clock."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).split("\n"))


def setup(level: str) -> None:
    """Starts logging at a level (`INFO`); later calls replace the earlier ones."""
    handler = logging.StreamHandler(sys.stderr)
    if _is_journal():
        handler.setFormatter(_JournalFormatter("%(threadName)s %(name)s: %(message)s"))
    else:
        form = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"
        handler.setFormatter(logging.Formatter(form))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _is_journal() -> bool:
    """Whether stderr is the very stream that systemd connected to the journal."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    status = os.fstat(sys.stderr.fileno())
    return stream == f"{status.st_dev}:{status.st_ino}"
