# SPDX-License-Identifier: GPL-2.0-or-later
"""STOMP 1.2 frames: their text form, and a parser that takes bytes as they come.

Source: https://stomp.github.io/stomp-specification-1.2.html. Used by the server and by the client.
The parser owns the limits: it refuses a frame as soon as its first bytes show that it is wrong or
too large, before the rest of it has arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from vdsm.jsonrpc.limits import FrameLimits

HEARTBEAT = b"\n"

CLIENT_COMMANDS = frozenset(
    {
        "CONNECT",
        "STOMP",
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "ACK",
        "NACK",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "DISCONNECT",
    }
)
SERVER_COMMANDS = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})

_WITH_BODY = frozenset({"SEND", "MESSAGE", "ERROR"})
# These two frames are not escaped, for the sake of STOMP 1.0 peers (specification, Value Encoding).
_UNESCAPED = frozenset({"CONNECT", "CONNECTED"})
_UNESCAPE = {"r": "\r", "n": "\n", "c": ":", "\\": "\\"}
_ESCAPE = str.maketrans({"\r": "\\r", "\n": "\\n", ":": "\\c", "\\": "\\\\"})
_MAX_LENGTH_DIGITS = 12


class FrameError(Exception):
    """Bytes that are no STOMP frame, or one that is over a limit. The message is for the peer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: command, headers (the first of a repeated one counts) and body."""

    command: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the frame. Adds `content-length` when there is a body."""
        plain = self.command in _UNESCAPED
        lines = [self.command]
        for name, value in self.headers.items():
            if plain:
                _refuse_line_breaks(name, value)
                lines.append(f"{name}:{value}")
            else:
                lines.append(f"{name.translate(_ESCAPE)}:{value.translate(_ESCAPE)}")
        if self.body:
            lines.append(f"content-length:{len(self.body)}")
        return b"%s\n\n%s\0" % ("\n".join(lines).encode(), self.body)


class Parser:
    """Turns a stream of bytes into frames.

    `commands` are the ones that the peer may send. After a FrameError the parser is of no more use.
    """

    def __init__(self, commands: frozenset[str], limits: FrameLimits) -> None:
        self._commands = commands
        self._limits = limits
        self._starts = _beginnings(commands)
        self._longest = max(map(len, commands))
        self._buffer = bytearray()
        self._scanned = 0  # bytes of the buffer that are known not to hold what is looked for
        self._head: tuple[str, dict[str, str]] | None = None
        self._length: int | None = None

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._head is not None or bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes and yields every frame that they complete. Raises FrameError."""
        self._buffer += data
        while True:
            head = self._head or self._read_head()
            frame = self._read_body(*head) if head else None
            if frame is None:
                return
            yield frame

    def _read_head(self) -> tuple[str, dict[str, str]] | None:
        """Reads the command and the headers; None until all of them are there."""
        buffer = self._buffer
        self._skip_line_ends()
        if not buffer:
            return None
        self._check_command()
        end, size = self._find_blank_line()
        if end < 0:
            if len(buffer) > self._limits.header_bytes + len("\n\r\n"):
                raise FrameError("the headers are too long")
            # The blank line may straddle two reads: "\n\r\n" is three bytes.
            self._scanned = max(0, len(buffer) - 2)
            return None
        if end > self._limits.header_bytes:
            raise FrameError("the headers are too long")
        head = bytes(buffer[:end])
        del buffer[: end + size]
        self._scanned = 0
        self._head = self._parse_head(head)
        self._length = self._content_length(self._head[1])
        return self._head

    def _skip_line_ends(self) -> None:
        """Drops heart-beats and the line ends that may follow a frame."""
        buffer = self._buffer
        if not buffer or buffer[0] not in b"\r\n":
            return
        skip = 0
        while skip < len(buffer):
            if buffer[skip] == 0x0A:
                skip += 1
            elif buffer[skip : skip + 2] == b"\r\n":
                skip += 2
            elif buffer[skip:] == b"\r":
                break  # its "\n" has not come yet
            elif buffer[skip] == 0x0D:
                raise FrameError("a carriage return without a line feed")
            else:
                break
        del buffer[:skip]
        self._scanned = 0

    def _check_command(self) -> None:
        """Refuses an unknown command as soon as its first letters show it."""
        line, newline, _ = self._buffer[: self._longest + 2].partition(b"\n")
        command = line.removesuffix(b"\r").decode("ascii", "replace")
        known = command in self._commands if newline else command in self._starts
        if not known and line != b"\r":
            raise FrameError("unknown command")

    def _find_blank_line(self) -> tuple[int, int]:
        """Where the line before the blank line ends, and the size of both line ends."""
        buffer, start = self._buffer, self._scanned
        # No further than it may be: behind it there can be thousands of other frames.
        most = self._limits.header_bytes + len("\n\r\n")
        plain = buffer.find(b"\n\n", start, most)
        crlf = buffer.find(b"\n\r\n", start, most if plain < 0 else plain + len("\n\n"))
        if crlf < 0 or 0 <= plain < crlf:
            return plain, 2
        return crlf, 3

    def _parse_head(self, head: bytes) -> tuple[str, dict[str, str]]:
        try:
            lines = head.decode().split("\n")
        except UnicodeDecodeError:
            raise FrameError("the headers are not UTF-8") from None
        command = lines[0].removesuffix("\r")
        if len(lines) - 1 > self._limits.headers:
            raise FrameError("too many headers")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.removesuffix("\r").partition(":")
            if not colon or not name:
                raise FrameError("a header is not name:value")
            if "\r" in value or "\r" in name or "\0" in line:
                raise FrameError("a header holds a control character")
            if command not in _UNESCAPED:
                name, value = _unescape(name), _unescape(value)
            headers.setdefault(name, value)
        return command, headers

    def _content_length(self, headers: Mapping[str, str]) -> int | None:
        text = headers.get("content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= _MAX_LENGTH_DIGITS):
            raise FrameError("content-length is not a size")
        length = int(text)
        if length > self._limits.body_bytes:
            raise FrameError(f"the body is over {self._limits.body_bytes} bytes")
        return length

    def _read_body(self, command: str, headers: dict[str, str]) -> Frame | None:
        """Reads the body and the NUL behind it; None until both are there."""
        buffer = self._buffer
        if self._length is not None:
            if len(buffer) <= self._length:
                return None
            end = self._length
            if buffer[end] != 0:
                raise FrameError("the body is longer than content-length says")
        else:
            end = buffer.find(b"\0", self._scanned)
            if (len(buffer) if end < 0 else end) > self._limits.body_bytes:
                raise FrameError(f"the body is over {self._limits.body_bytes} bytes")
            if end < 0:
                self._scanned = len(buffer)
                return None
        body = bytes(buffer[:end])
        if body and command not in _WITH_BODY:
            raise FrameError(f"a {command} frame has no body")
        del buffer[: end + 1]
        self._head, self._length, self._scanned = None, None, 0
        return Frame(command, headers, body)


@cache
def _beginnings(commands: frozenset[str]) -> frozenset[str]:
    """What a line may be that is going to be one of `commands`."""
    return frozenset(c[:n] for c in commands for n in range(1, len(c) + 1))


def heart_beat(header: str | None) -> tuple[int, int]:
    """The two times in milliseconds of a `heart-beat` header; (0, 0) when there is none.

    Raises FrameError when it is not two numbers.
    """
    if header is None:
        return 0, 0
    parts = [part.strip() for part in header.split(",")]
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) <= 9 for p in parts):
        raise FrameError("heart-beat is not two times in milliseconds")
    return int(parts[0]), int(parts[1])


def _unescape(text: str) -> str:
    """Undoes the escapes of header names and values. Raises FrameError for an undefined one."""
    if "\\" not in text:
        return text
    out = []
    characters = iter(text)
    for character in characters:
        if character != "\\":
            out.append(character)
            continue
        try:
            out.append(_UNESCAPE[next(characters, "")])
        except KeyError:
            raise FrameError("a header holds an undefined escape") from None
    return "".join(out)


def _refuse_line_breaks(*texts: str) -> None:
    if any(c in text for text in texts for c in "\r\n\0"):
        raise FrameError("a header of an unescaped frame holds a line end")
