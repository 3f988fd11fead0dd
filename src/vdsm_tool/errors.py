# SPDX-License-Identifier: GPL-2.0-or-later
"""The error that a person reads: one sentence on what failed, and a hint on what to do."""

from typing import Final

HEALTHY: Final = 0
"""Exit status: the answer is good."""
FAILED: Final = 1
"""Exit status: the answer is bad, or the command could not do what it was asked."""
UNKNOWN: Final = 2
"""Exit status: there is no answer. argparse's status for wrong usage is the same number."""


class ToolError(Exception):
    """`sentence` says what happened to what, `hint` the way out; `status` is the exit status."""

    def __init__(self, sentence: str, hint: str = "", *, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.status = status
