# SPDX-License-Identifier: GPL-2.0-or-later
"""The SPM's mailbox: dom_md/inbox and dom_md/outbox of the master domain.

Each host writes its requests into its own 4096 bytes of the inbox, at its host id, and reads the
answers at the same place of the outbox; the SPM does the opposite. A mailbox has 63 slots of 64
bytes for messages; the last 4 bytes of the 64th are the checksum, which the SPM asks of a request
and nobody of an answer. The one message that there is asks for a bigger thin volume on a block
domain. Everything here is pure. Format: upstream-vdsm 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

MAILBOX_SIZE: Final = 4096
MESSAGE_SIZE: Final = 64
MESSAGES: Final = MAILBOX_SIZE // MESSAGE_SIZE - 1

EMPTY: Final = bytes(MESSAGE_SIZE)
CLEAN: Final = b"\1" * MESSAGE_SIZE
"""Written by a host that has read its answer, and then by the SPM that has seen this."""

EMPTY_MAILBOX: Final = bytes(MAILBOX_SIZE)

MAX_SIZE: Final = 0xFFFFFFFF
"""MiB that can be asked for."""

_CHECKSUM_SIZE = 4
_EXTEND = b"1xtnd"
_UUID_SIZE = 16
_SIZE = re.compile(rb"[0-9a-fA-F]{16}")
_NOTHING = (0, ord("0"))


class BadMessage(ValueError):
    """Bytes that are no message that this release knows."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Asks for, or answers with, the size of a volume in MiB; 0 in an answer: it failed."""

    domain: str
    volume: str
    size_mib: int

    def encode(self) -> bytes:
        """64 bytes. Raises ValueError for a size that is out of range."""
        if not 0 <= self.size_mib <= MAX_SIZE:
            raise ValueError(f"{self.size_mib} MiB is out of range")
        message = b"".join(
            (_EXTEND, _packed(self.domain), _packed(self.volume), b"%016x" % self.size_mib)
        )
        return message.ljust(MESSAGE_SIZE, b"0")


def decode(message: bytes) -> Extend:
    """Reads a request or an answer. Raises BadMessage."""
    if len(message) != MESSAGE_SIZE or not message.startswith(_EXTEND):
        raise BadMessage(f"{message[:5]!r} is no message's version and code")
    domain_at = len(_EXTEND)
    volume_at = domain_at + _UUID_SIZE
    size_at = volume_at + _UUID_SIZE
    size = message[size_at : size_at + 16]
    if not _SIZE.fullmatch(size) or int(size, 16) > MAX_SIZE:
        raise BadMessage(f"{size!r} is no size")
    return Extend(
        _unpacked(message[domain_at:volume_at]),
        _unpacked(message[volume_at:size_at]),
        int(size, 16),
    )


def is_empty(message: bytes) -> bool:
    """Whether a slot has no message: its version is none."""
    return message[0] in _NOTHING


def messages(mailbox: bytes) -> list[bytes]:
    """The slots of a mailbox, in order."""
    return [
        mailbox[start : start + MESSAGE_SIZE]
        for start in range(0, MESSAGES * MESSAGE_SIZE, MESSAGE_SIZE)
    ]


def with_message(mailbox: bytes, slot: int, message: bytes) -> bytes:
    """The mailbox with another message in a slot; its checksum is the old one's."""
    start = slot * MESSAGE_SIZE
    return mailbox[:start] + message + mailbox[start + MESSAGE_SIZE :]


def seal(mailbox: bytes) -> bytes:
    """The mailbox with its checksum: the sum of its bytes, little endian."""
    content = mailbox[:-_CHECKSUM_SIZE]
    return content + _checksum(content)


def is_sealed(mailbox: bytes) -> bool:
    """Whether the checksum is right: not torn, and not another host's work in progress."""
    return len(mailbox) == MAILBOX_SIZE and seal(mailbox) == mailbox


def _checksum(content: bytes) -> bytes:
    return (sum(content) & 0xFFFFFFFF).to_bytes(_CHECKSUM_SIZE, "little")


def _packed(uuid: str) -> bytes:
    return UUID(uuid).int.to_bytes(_UUID_SIZE, "little")


def _unpacked(data: bytes) -> str:
    return str(UUID(int=int.from_bytes(data, "little")))
