# SPDX-License-Identifier: GPL-2.0-or-later
"""A netlink socket: dumps, single requests, and batches of requests, in bytes.

Source: netlink(7), Documentation/userspace-api/netlink/intro.rst. A socket belongs to one thread at
a time. Errors carry the kernel's own words for them (extended acknowledgements).
"""

import errno
import logging
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.attributes import aligned

_log = logging.getLogger(__name__)

NLM_F_REQUEST: Final = 0x001
NLM_F_ACK: Final = 0x004
NLM_F_DUMP_INTR: Final = 0x010
NLM_F_DUMP: Final = 0x300
NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLM_F_APPEND: Final = 0x800
_NLM_F_ACK_TLVS: Final = 0x200

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3

NETLINK_ROUTE: Final = 0
NETLINK_GENERIC: Final = 16
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_NETLINK_CAP_ACK: Final = 10
_NETLINK_EXT_ACK: Final = 11
_NETLINK_GET_STRICT_CHK: Final = 12
_NLMSGERR_ATTR_MSG: Final = 1
_SO_RCVBUFFORCE: Final = 33

HEADER: Final = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port id."""
_ERROR: Final = struct.Struct("=i")
_SEQUENCE_OFFSET: Final = 8
_FLAGS_OFFSET: Final = 6

_RECEIVE_BYTES: Final = 256 * 1024
"""The kernel fills up to 32 KiB of a dump into what it saw us receive with; one link with many
virtual functions may need more."""
_BATCH_BYTES: Final = 64 * 1024
_BATCH_MESSAGES: Final = 128
"""The errors of so many requests fit into any receive buffer: none gets lost."""
_DUMPS: Final = 5


class KernelError(OSError):
    """The kernel refused a request. `strerror` has its own words, when it gave some."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the kernel refused one request of a batch. `reason` may name the attribute at fault."""

    errno: int
    reason: str


def message(kind: int, flags: int, body: bytes, sequence: int = 0) -> bytes:
    """Return a request: `body` is the fixed part of its kind with the attributes after it.

    The sequence number is set anew by whoever sends it.
    """
    length = HEADER.size + len(body)
    return HEADER.pack(length, kind, flags | NLM_F_REQUEST, sequence, 0) + body + bytes(-length % 4)


class NetlinkSocket:
    """A socket of one netlink protocol, in this process' network namespace.

    Raises OSError when there is none to be had.
    """

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        try:
            for option in (_NETLINK_EXT_ACK, _NETLINK_CAP_ACK, _NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._socket.bind((0, 0))
        except OSError:
            self._socket.close()
            raise
        self._buffer = bytearray(_RECEIVE_BYTES)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def fileno(self) -> int:
        """Return its file descriptor, to poll."""
        return self._socket.fileno()

    def subscribe(self, groups: Sequence[int]) -> None:
        """Join multicast groups (RTNLGRP_*). Messages of theirs come by `receive`."""
        for group in groups:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)

    def set_receive_buffer(self, size: int) -> None:
        """Let the kernel queue `size` bytes for us, also beyond rmem_max when we may."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def receive(self, *, wait: bool = True) -> list[memoryview]:
        """Return the messages of the next datagram; raises BlockingIOError without `wait` when
        there is none, and OSError with ENOBUFS when the kernel had to drop some.
        """
        size, _, flags, _ = self._socket.recvmsg_into(
            [self._buffer], 0, 0 if wait else socket.MSG_DONTWAIT
        )
        if flags & socket.MSG_TRUNC:
            raise KernelError(errno.EMSGSIZE, f"a netlink message is longer than {_RECEIVE_BYTES}")
        return list(_messages(bytes(memoryview(self._buffer)[:size])))

    def dump(self, kind: int, header: bytes, attrs: bytes = b"") -> list[memoryview]:
        """Return all messages that answer to a dump request; `header` is the fixed part of `kind`.

        Repeats the dump when the kernel changed something during it. On a host that never rests,
        the last one is used: at most it lacks what was just made, or has something twice. Raises
        KernelError.
        """
        found: list[memoryview] = []
        for _ in range(_DUMPS):
            found, interrupted = self._dump(message(kind, NLM_F_DUMP, header + attrs))
            if not interrupted:
                return found
        _log.warning("The kernel changed during each of %d dumps of type %d", _DUMPS, kind)
        return found

    def request(self, request: bytes) -> list[memoryview]:
        """Send a request of `message` and return what is answered before the acknowledgement.

        Raises KernelError.
        """
        sequence = self._send(request, NLM_F_ACK)
        answers: list[memoryview] = []
        while True:
            for answer in self.receive():
                _, kind, flags, found, _ = HEADER.unpack_from(answer)
                if found != sequence:
                    continue
                if kind != NLMSG_ERROR:
                    answers.append(answer)
                    continue
                refusal = _refusal(answer, flags)
                if refusal is not None:
                    raise KernelError(refusal.errno, refusal.reason)
                return answers

    def send_batch(self, requests: Sequence[bytes]) -> list[Refusal | None]:
        """Send requests of `message`, many with one system call; return what became of each.

        The kernel carries them out in their order and goes on after one that it refused. Only the
        last of each part is acknowledged: an error is told in any case. Raises KernelError when
        not even that came.
        """
        return [
            answer if isinstance(answer, Refusal) else None for answer in self.ask_batch(requests)
        ]

    def ask_batch(self, requests: Sequence[bytes]) -> list[memoryview | Refusal | None]:
        """Send requests as `send_batch` does, and return what answered each; None if nothing."""
        answers: list[memoryview | Refusal | None] = []
        for part in _parts(requests):
            answers += self._ask_part(part)
        return answers

    def _ask_part(self, requests: Sequence[bytes]) -> list[memoryview | Refusal | None]:
        first = self._sequence + 1
        packed = bytearray()
        for request in requests:
            self._sequence += 1
            start = len(packed)
            packed += request
            struct.pack_into("=I", packed, start + _SEQUENCE_OFFSET, self._sequence)
        (flags,) = struct.unpack_from("=H", packed, start + _FLAGS_OFFSET)
        struct.pack_into("=H", packed, start + _FLAGS_OFFSET, flags | NLM_F_ACK)
        self._socket.send(packed)
        answers: list[memoryview | Refusal | None] = [None] * len(requests)
        while True:
            for answer in self.receive():
                _, kind, flags, sequence, _ = HEADER.unpack_from(answer)
                if not first <= sequence <= self._sequence:
                    continue
                if kind != NLMSG_ERROR:
                    answers[sequence - first] = answer
                    continue
                refusal = _refusal(answer, flags)
                if refusal is not None:
                    answers[sequence - first] = refusal
                if sequence == self._sequence:
                    return answers

    def _dump(self, request: bytes) -> tuple[list[memoryview], bool]:
        sequence = self._send(request, 0)
        found: list[memoryview] = []
        interrupted = False
        while True:
            for answer in self.receive():
                _, kind, flags, answered, _ = HEADER.unpack_from(answer)
                if answered != sequence:
                    continue
                interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                if kind > NLMSG_DONE:
                    found.append(answer)
                    continue
                refusal = _refusal(answer, flags)
                if refusal is not None and refusal.errno != errno.EINTR:
                    raise KernelError(refusal.errno, refusal.reason)
                if kind == NLMSG_DONE:
                    return found, interrupted or refusal is not None

    def _send(self, request: bytes, flags: int) -> int:
        self._sequence += 1
        packed = bytearray(request)
        _, _, had, _, _ = HEADER.unpack_from(packed)
        struct.pack_into("=H", packed, _FLAGS_OFFSET, had | flags)
        struct.pack_into("=I", packed, _SEQUENCE_OFFSET, self._sequence)
        self._socket.send(packed)
        return self._sequence


def _messages(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    offset = 0
    while offset + HEADER.size <= len(data):
        (length,) = struct.unpack_from("=I", data, offset)
        if length < HEADER.size:
            return
        yield view[offset : offset + length]
        offset += aligned(length)


def _parts(requests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Split requests so that each part fits into a system call, and its errors into the buffer."""
    start = size = 0
    for index, request in enumerate(requests):
        full = index - start == _BATCH_MESSAGES or size + len(request) > _BATCH_BYTES
        if full and index > start:
            yield requests[start:index]
            start, size = index, 0
        size += len(request)
    if start < len(requests):
        yield requests[start:]


def _refusal(answer: memoryview, flags: int) -> Refusal | None:
    """Decode NLMSG_ERROR or NLMSG_DONE; None when the kernel is content."""
    if len(answer) < HEADER.size + _ERROR.size:
        return None
    (code,) = _ERROR.unpack_from(answer, HEADER.size)
    if code >= 0:
        return None
    (_, kind, _, _, _) = HEADER.unpack_from(answer)
    # An error repeats the header of the request (NETLINK_CAP_ACK: no more of it).
    start = HEADER.size + _ERROR.size + (HEADER.size if kind == NLMSG_ERROR else 0)
    words = ""
    if flags & _NLM_F_ACK_TLVS:
        told = attributes.table(answer, start).get(_NLMSGERR_ATTR_MSG)
        words = attributes.string(told) if told is not None else ""
    reason = os.strerror(-code)
    return Refusal(-code, f"{reason}: {words.rstrip('.')}" if words else reason)
