# SPDX-License-Identifier: GPL-2.0-or-later
"""How a request is refused: oVirt's number, the field as a path, and a sentence.

Source of the numbers: upstream-vdsm 3.3. What the caller wrote is repeated in ASCII, in quotes and
cut, so that an error is short and can be logged whatever was in the request. No I/O.
"""

import enum
import re
from collections.abc import Iterable
from typing import Final

from vdsm_contract.errors import NetworkConfigError

_SHOWN: Final = 40
"""Characters of a caller's text that an error repeats."""
_LISTED: Final = 5
"""Names that an error lists."""
_SHOWN_BITS: Final = 128
_PLAIN: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}", re.ASCII)


class Code(enum.IntEnum):
    """What is wrong, or was not to be had."""

    LOST_CONNECTION = 10
    BAD_PARAMS = 21
    BAD_ADDR = 22
    BAD_NIC = 23
    USED_NIC = 24
    BAD_BONDING = 25
    BAD_VLAN = 26
    BAD_BRIDGE = 27
    USED_BOND = 31


def refusal(code: Code, field: str, reason: str) -> NetworkConfigError:
    """Return the error to raise. `field` comes from `path`."""
    return NetworkConfigError(errCode=int(code), field=field, reason=reason)


def path(*names: str) -> str:
    """Return the path of a field, such as `networks.ovirtmgmt.vlan`."""
    return ".".join(name if _PLAIN.fullmatch(name) else quoted(name) for name in names)


def quoted(value: object) -> str:
    """Return a caller's value as an error repeats it: scalars in short, of others only the type."""
    match value:
        case str():
            return ascii(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!a}..."
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if value.bit_length() <= _SHOWN_BITS else "a huge number"
        case float():
            return repr(value)
        case list() | tuple():
            return "a list"
        case _:
            return "an object"


def listed(names: Iterable[str]) -> str:
    """Return the first names of many, quoted."""
    every = sorted(names)
    shown = ", ".join(quoted(name) for name in every[:_LISTED])
    return shown if len(every) <= _LISTED else f"{shown} and {len(every) - _LISTED} more"
