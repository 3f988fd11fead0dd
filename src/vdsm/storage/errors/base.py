# SPDX-License-Identifier: GPL-2.0-or-later
"""What the errors of storage have in common."""

from __future__ import annotations

from typing import ClassVar

from vdsm.jsonrpc.errors import VdsmError


class StorageError(VdsmError):
    """Base of the errors of storage: `number` goes to the client, `about` begins the message."""

    number: ClassVar[int] = 200
    about: ClassVar[str] = "General storage error"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(self.number, f"{self.about}: {reason}" if reason else self.about)


class InvalidParameter(StorageError):
    """A parameter has a value that storage cannot use; `field` is the parameter's name."""

    number = 1000
    about = "Invalid parameter"

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        super().__init__(f"{field}: {why}")
