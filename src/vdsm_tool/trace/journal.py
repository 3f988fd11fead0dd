# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of a flow in the host's journal, by journalctl(1)."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from vdsm_contract import flow
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.trace.timeline import Entry

MOST: Final = 20_000
"""Lines that are read, the newest."""

_FIELDS: Final = "MESSAGE,CONTAINER_NAME"
_CONTAINERS: Final = ("CONTAINER_NAME=vdsm", "CONTAINER_NAME=supervdsm")


def read(host: Host, flow_id: str, since: str) -> list[Entry]:
    """Return the lines with this flow id, in the journal's order. Raises ToolError."""
    text = _journalctl(
        host,
        f"--output-fields={_FIELDS}",
        f"--since={since}",
        f"--lines={MOST}",
        "--case-sensitive=yes",
        f"--grep={pattern(flow_id)}",
    )
    return [entry for entry in entries(text) if belongs(entry.text, flow_id)]


def oldest(host: Host) -> datetime | None:
    """Return when the first line of either was written that the journal still has."""
    try:
        text = _journalctl(host, f"--output-fields={_FIELDS}", "--lines=+1")
    except ToolError:  # an older journalctl does not know +1; this is but a hint
        return None
    first = next(entries(text), None)
    return datetime.fromtimestamp(first.at).astimezone() if first else None


def entries(text: str) -> Iterator[Entry]:
    """Read what `journalctl --output=json` prints; lines that are no entry of ours are left out."""
    for line in text.splitlines():
        try:
            fields = json.loads(line)
            at = int(fields["__REALTIME_TIMESTAMP"]) / 1_000_000
            who, message = fields["CONTAINER_NAME"], fields["MESSAGE"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(message, list):  # bytes that are no text
            message = bytes(message).decode(errors="replace")
        if isinstance(message, str) and isinstance(who, str):
            yield Entry(at, who, message.removesuffix("\n"))  # conmon keeps it


def spellings(flow_id: str) -> tuple[str, str]:
    """Return how a flow id stands in the logs: quoted, and as one word in vdsm's line of a call."""
    kept = "".join(c if c.isprintable() else "?" for c in flow_id[: flow.LONGEST])
    return flow.told(kept), kept.replace(" ", "?")


def pattern(flow_id: str) -> str:
    """Return what `journalctl --grep` finds the flow by: a PCRE in which nothing of it has a
    meaning."""
    return "flow=(?:{}|{})".format(*map(_literal, spellings(flow_id)))


def belongs(text: str, flow_id: str) -> bool:
    """Return whether a line is of the flow, and not of one whose id begins with this one."""
    quoted, word = spellings(flow_id)
    return f" flow={quoted}" in text or f" flow={word} " in f"{text} "


def _literal(text: str) -> str:
    """Return what matches `text`; for a character beyond ASCII, what matches any: whether PCRE
    counts bytes or characters is for who built journalctl to say, and `belongs` looks again."""
    return "".join(
        r"\S+" if not c.isascii() else c if c.isalnum() else f"\\x{ord(c):02x}" for c in text
    )


_RUN: Final = """\
{ said=$("$@" 2>&1 >&3 3>&-); status=$?; } 3>&1
[ $status -eq 0 ] || [ -z "$said" ] || { echo "$said" >&2; exit 1; }
"""
"""Where no line fits, journalctl ends as grep does: with status 1. So it does for an error, which
alone has a message."""


def _journalctl(host: Host, *options: str) -> str:
    argv = ("journalctl", "--quiet", "--no-pager", "--output=json", *options, *_CONTAINERS)
    try:
        return host.run(["sh", "-c", _RUN, "sh", *argv])
    except ToolError as error:
        reason = error.sentence.rpartition(" failed: ")[2]
        raise ToolError(f"journalctl: {reason}", status=error.status) from None
