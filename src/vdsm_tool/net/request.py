# SPDX-License-Identifier: GPL-2.0-or-later
"""A request as Host.setupNetworks takes it, in a JSON file of the host or on standard input."""

import os
import sys
from pathlib import Path
from typing import Final

import msgspec

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host

_DIRECTORY: Final = "VDSM_TOOL_DIRECTORY"
"""Set by the wrapper on the host: the directory there that a relative path starts from."""
_MOST: Final = 8 * 1024 * 1024
"""Bytes: what a message to supervdsm may have."""


class Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is asked for. A part that is left out is empty."""

    networks: dict[str, object] = {}
    bondings: dict[str, object] = {}
    options: dict[str, object] = {}


def read(name: str, host: Host) -> Request:
    """Read the request in the file `name`, `-` for standard input. Raises ToolError."""
    content = sys.stdin.buffer.read(_MOST + 1) if name == "-" else _of_host(name, host)
    if len(content) > _MOST:
        raise ToolError(f"{_shown(name)} is larger than {_MOST // 1024 // 1024} MiB")
    return parse(_shown(name), content)


def parse(name: str, content: bytes) -> Request:
    """Return the request that `content` is. Raises ToolError."""
    try:
        return msgspec.json.decode(content, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ToolError(
            f"{name} is not a network request: {error}",
            'It looks like {"networks": {"red": {"nic": "eth1"}}, "bondings": {}, "options": {}}.',
        ) from None


def _of_host(name: str, host: Host) -> bytes:
    """The content of a file as the host's own programs see it, whatever links lead there."""
    path = Path(os.environ.get(_DIRECTORY) or Path.cwd(), name)
    try:
        return host.run(("head", f"--bytes={_MOST + 1}", "--", str(path))).encode()
    except ToolError as error:
        raise ToolError(f"{name} cannot be read", error.sentence) from None
    except UnicodeDecodeError:
        raise ToolError(f"{name} is not a network request: it is not text") from None


def _shown(name: str) -> str:
    return "standard input" if name == "-" else name
