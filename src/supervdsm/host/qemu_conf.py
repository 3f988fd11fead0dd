# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's qemu.conf, which only root may read.

Source of the grammar: libvirt, src/util/virconf.c. `key = value` with a comment after `#`; a value
is a whole number, a string in one or double quotes on one line, a string in triple double quotes
over several lines, or a list of these in brackets, over several lines too. There are no escapes in
strings, and of a key that is set twice the first one counts.
"""

import logging
import re
from pathlib import Path
from typing import Final

from supervdsm.common import host_file
from vdsm_contract.errors import InvalidArgument

_log = logging.getLogger(__name__)

_FILE: Final = "/etc/libvirt/qemu.conf"
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SECRET: Final = re.compile(r"password|secret", re.IGNORECASE)
_MAX_VALUE: Final = 1024

_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")
"""White space, line ends and comments."""
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_./-]*)[ \t]*=[ \t]*")
_SCALAR: Final = re.compile(r'"""(.*?)"""|"([^"\n]*)"|\'([^\'\n]*)\'|(-?[0-9]+)', re.DOTALL)
_LINE_END: Final = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")


class SyntaxFault(ValueError):
    """The text is not of libvirt's grammar; libvirt would refuse the whole file."""


def contains(host_root: Path, key: str, value: str) -> bool:
    """Tell whether the host's qemu.conf sets `key` to `value`, or to a list that has `value` in it.

    False when libvirt is not installed. False, with a warning, for a file that libvirt itself
    would refuse. A key of a password is refused, since asking often enough would tell it. Raises
    InvalidArgument.
    """
    if _KEY.fullmatch(key) is None:
        raise InvalidArgument(field="key", reason="must be a name of letters, digits and '_'")
    if _SECRET.search(key):
        raise InvalidArgument(field="key", reason="must not be a secret of libvirt's")
    if len(value) > _MAX_VALUE:
        raise InvalidArgument(field="value", reason=f"longer than {_MAX_VALUE} characters")
    try:
        settings = parse(host_file.read_text(host_root, _FILE))
    except FileNotFoundError:
        return False
    except (OSError, SyntaxFault) as error:
        _log.warning("Not using %s of the host: %s", _FILE, error)
        return False
    return value in settings.get(key, ())


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Return the values of each key: one for a number or string, any number for a list.

    Numbers stay as they are written. Raises SyntaxFault.
    """
    settings: dict[str, tuple[str, ...]] = {}
    at = _skip(_BLANK, text, 0)
    while at < len(text):
        assignment = _ASSIGNMENT.match(text, at)
        if assignment is None:
            raise _fault(text, at, "expected 'key = value'")
        values, at = _value(text, assignment.end())
        settings.setdefault(assignment[1], values)
        end = _LINE_END.match(text, at)
        if end is None:
            raise _fault(text, at, "expected the end of the line")
        at = _skip(_BLANK, text, end.end())
    return settings


def _value(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """Return the values that start at `at`, and the position after them."""
    if not text.startswith("[", at):
        value, at = _scalar(text, at)
        return (value,), at
    values: list[str] = []
    at = _skip(_BLANK, text, at + 1)
    while not text.startswith("]", at):
        value, at = _scalar(text, at)
        values.append(value)
        at = _skip(_BLANK, text, at)
        if text.startswith(",", at):
            at = _skip(_BLANK, text, at + 1)
        elif not text.startswith("]", at):
            raise _fault(text, at, "expected ',' or ']'")
    return tuple(values), at + 1


def _scalar(text: str, at: int) -> tuple[str, int]:
    match = _SCALAR.match(text, at)
    if match is None:
        raise _fault(text, at, "expected a number, a string or a list")
    return next(group for group in match.groups() if group is not None), match.end()


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _fault(text: str, at: int, reason: str) -> SyntaxFault:
    line = text.count("\n", 0, at) + 1
    return SyntaxFault(f"line {line}: {reason}")
