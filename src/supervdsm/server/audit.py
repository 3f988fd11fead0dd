# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written down: one line for each call, and one for each peer that was sent away. Those of
a poll that ended well are there at DEBUG only. Those of verbs that touch nothing wait for others,
for a quarter of a second at most: many of them cost little, and lost with us they are no loss.

A line names the caller, the verb, its arguments without the secret ones, the flow id, the outcome
and the duration. Everything that came over the wire is quoted as JSON and cut, so it cannot forge
a line.
"""

import logging
from typing import Any, Final

import msgspec

from supervdsm.common.text import plain, quote, told
from supervdsm.server.peer import PROBE, Peer
from supervdsm.server.table import Entry
from vdsm_contract import systemd
from vdsm_contract.errors import ContractError

_log: Final = logging.getLogger("supervdsm.audit")
_MAX_ARGUMENTS: Final = 1024
_MAX_FLOW: Final = 128
_MASK: Final = "********"
_EMPTY: Final = '""'
_NONE: Final = "{}"
_OK: Final = "ok"


def call(
    peer: Peer,
    entry: Entry,
    parameters: msgspec.Struct | None,
    error: BaseException | None,
    duration: float,
) -> None:
    """Write the line of a call that has ended; `duration` is in seconds."""
    if peer is PROBE and error is None:
        return
    level = entry.level if error is None else logging.WARNING
    if not _log.isEnabledFor(level):
        return
    flow_id = getattr(parameters, "flow_id", None)
    systemd.log_line(
        _log,
        level,
        f"call {entry.method} by {peer.name}"
        f" flow={quote(flow_id, _MAX_FLOW) if flow_id else _EMPTY}"
        f" args={arguments(entry, parameters) if entry.arguments or parameters is None else _NONE}"
        f" outcome={outcome(error) if error else _OK} duration={duration:.6f}",
        later=entry.touches_nothing,
    )


def refused(name: str, error: ContractError) -> None:
    """Write that a peer, a connection or a message was refused, and why."""
    _log.warning("refused %s: %s", name, quote(f"{type(error).__name__}: {error}", _MAX_ARGUMENTS))


def unexpected(identifier: str, where: str, error: BaseException) -> None:
    """Write the traceback of a failure that nobody declared, under the id that the caller got."""
    _log.critical("unexpected %s in %s\n%s", identifier, where, told(error))


def arguments(entry: Entry, parameters: msgspec.Struct | None) -> str:
    """Return the arguments as JSON, the secret ones masked, cut to a bounded length."""
    if parameters is None:
        return "?"
    secret = entry.verb.promise.secret
    shown: dict[str, Any] = {
        name: _MASK if name in secret else getattr(parameters, name) for name in entry.arguments
    }
    return _cut(msgspec.json.encode(shown).decode(), _MAX_ARGUMENTS)


def outcome(error: BaseException) -> str:
    """Return the error's name and text."""
    return f"{type(error).__name__} {quote(str(error), _MAX_ARGUMENTS)}"


def _cut(text: str, limit: int) -> str:
    text = plain(text)
    return text if len(text) <= limit else text[:limit] + "..."
