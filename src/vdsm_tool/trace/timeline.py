# SPDX-License-Identifier: GPL-2.0-or-later
"""From log lines to a timeline: pure.

A line is written when a thing has ended, with how long that took; here each thing stands where it
began. So a call comes before what it did, though its line was the last to be written.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from vdsm_contract import flow
from vdsm_tool import output
from vdsm_tool.finding import Level

CLIENT: Final = "client"
_JITTER: Final = 0.05
"""Seconds by which the journal's stamps of two containers, and rounded durations, may differ."""

_LINE: Final = re.compile(r"(?P<level>[A-Z]+) (?P<logger>[\w.]+): (?P<text>.*)", re.DOTALL)
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_API_CALL: Final = re.compile(
    r"call method=(?P<method>\S+) client=(?P<client>\S+) flow=\S+ code=(?P<code>-?\d+)"
    r" duration=(?P<took>[\d.]+)s waited=(?P<waited>[\d.]+)s(?: slow)?(?: error=(?P<error>.*))?"
)
_VERB_CALL: Final = re.compile(
    rf"call (?P<method>\S+) by (?P<peer>.+?) flow={_QUOTED} args=(?P<arguments>.*)"
    rf" outcome=(?P<outcome>ok|\w+ {_QUOTED}) duration=(?P<took>[\d.]+)"
)
_ENDED: Final = re.compile(r"(?P<what>.*) ended with (?P<status>\S+) after (?P<took>[\d.]+) s")
_PREFIX: Final = "org.ovirt.supervdsm."


@dataclass(frozen=True)
class Entry:
    """A line of the journal: when it was written (seconds since 1970), by whom, and its text."""

    at: float
    who: str
    text: str


class Event(Struct, frozen=True, omit_defaults=True):
    """One thing of a flow. Times are in seconds: `at` since 1970, `offset` since the first one."""

    at: float
    """When it began."""
    who: str
    """`client`, `vdsm` or `supervdsm`."""
    what: str
    depth: int
    """How deep it is in the call."""
    level: str = "INFO"
    offset: float = 0.0
    duration: float | None = None
    outcome: str = ""
    """`ok`, a code, the name and text of an error, or the exit status of a command."""

    @property
    def end(self) -> float:
        return self.at + (self.duration or 0.0)


class Timeline(Struct, frozen=True):
    """A flow: its things in the order in which they began."""

    flow: str
    started: str
    """ISO 8601."""
    seconds: float
    events: list[Event]


def timeline(flow_id: str, entries: Iterable[Entry]) -> Timeline:
    """Return the timeline of the lines of one flow; there must be one at least."""
    token = f" flow={flow.told(flow_id)}"
    found = [event for entry in entries for event in _events(entry, token)]
    for depth in (1, 2):
        calls = [
            event for event in found if event.depth == depth - 1 and event.duration is not None
        ]
        found = [_not_before_its_caller(event, calls) for event in found]
    found.sort(key=lambda event: (event.at, event.depth))
    first = found[0].at
    events = [replace(event, offset=round(event.at - first, 6)) for event in found]
    started = datetime.fromtimestamp(first).astimezone().isoformat(timespec="milliseconds")
    seconds = round(max(event.end for event in events) - first, 6)
    return Timeline(flow_id, started, seconds, events)


def text(found: Timeline) -> list[str]:
    """Return the timeline as lines for a person."""
    count = len(found.events)
    words = f"{count} events in {found.seconds:.3f} s, from {found.started}"
    return [f"flow {flow.told(found.flow)}: {words}", *map(_line, found.events)]


def _line(event: Event) -> str:
    took = "" if event.duration is None else f"{event.duration:.3f} s"
    indent = "  " * event.depth
    line = f"{event.offset:+10.3f} {took:>10}  {event.who:<9}  {indent}{_printable(event.what)}"
    if event.outcome:
        line += f": {_printable(event.outcome)}"
    bad = event.level not in {"DEBUG", "INFO"}
    return output.coloured(line, Level.WARN) if bad else line


def _events(entry: Entry, token: str) -> Iterator[Event]:
    """Most lines are one event; a call of the API also tells of the client that made it."""
    match = _LINE.fullmatch(entry.text)
    level, line = (match["level"], match["text"]) if match else ("INFO", entry.text)
    if call := _API_CALL.fullmatch(line):
        yield from _api_call(entry, level, call)
    elif call := _VERB_CALL.fullmatch(line):
        took = float(call["took"])
        what = f"{call['method'].removeprefix(_PREFIX)} {call['arguments']} by {call['peer']}"
        yield Event(
            at=entry.at - took, who=entry.who, what=what, depth=1, level=level,
            duration=took, outcome=call["outcome"],
        )  # fmt: skip
    else:
        yield _plain(entry, level, line.replace(token, ""))


def _api_call(entry: Entry, level: str, call: "re.Match[str]") -> Sequence[Event]:
    took, waited = float(call["took"]), float(call["waited"])
    began = entry.at - took
    outcome = "ok" if call["code"] == "0" else f"code {call['code']} {call['error'] or ''}".rstrip()
    asked = Event(
        at=began - waited, who=CLIENT, what=f"{call['client']} calls {call['method']}", depth=0
    )
    served = Event(
        at=began, who=entry.who, what=call["method"], depth=0, level=level,
        duration=took, outcome=outcome,
    )  # fmt: skip
    return asked, served


def _plain(entry: Entry, level: str, line: str) -> Event:
    depth = 1 if entry.who == "vdsm" else 2
    if ended := _ENDED.fullmatch(line):
        took = float(ended["took"])
        return Event(
            at=entry.at - took, who=entry.who, what=ended["what"], depth=depth, level=level,
            duration=took, outcome=ended["status"],
        )  # fmt: skip
    return Event(at=entry.at, who=entry.who, what=line, depth=depth, level=level)


def _not_before_its_caller(event: Event, calls: Sequence[Event]) -> Event:
    """Move an event that seems to have begun a moment before the call that it is a part of."""
    callers = [
        call for call in calls if call.depth == event.depth - 1 and event.end <= call.end + _JITTER
    ]
    if any(call.at <= event.at for call in callers):
        return event
    late = [call.at for call in callers if call.at - event.at < _JITTER]
    return replace(event, at=min(late)) if late else event


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in line)
