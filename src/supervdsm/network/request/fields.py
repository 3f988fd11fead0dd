# SPDX-License-Identifier: GPL-2.0-or-later
"""Take the attributes out of a JSON object of the request, each by its type.

The engine writes almost everything as text ("true", "100"), clients as booleans and numbers
(upstream-vdsm 3.1): both are read. `null` and empty text are as if the attribute was not there.
What nobody took is unknown. No I/O.
"""

import re
from collections.abc import Mapping
from typing import Final

from supervdsm.network.request.refusal import Code, listed, path, quoted, refusal

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_MAX_NUMBER: Final = 2**63 - 1
"""JSON has no limit. Nothing here needs more, and Python does not print any more at its will."""


class Fields:
    """The attributes of the object at `names`, the names that lead to it in the request.

    Every method that takes an attribute out raises NetworkConfigError, with the code that it was
    given, when that is of another type.
    """

    def __init__(self, raw: object, *names: str, code: Code = Code.BAD_PARAMS) -> None:
        self.names = names
        if not isinstance(raw, Mapping):
            raise refusal(code, path(*names), f"must be an object, not {quoted(raw)}")
        self._left: dict[str, object] = dict(raw)

    def path(self, key: str) -> str:
        """Return the path of an attribute."""
        return path(*self.names, key)

    def has(self, key: str) -> bool:
        """Tell whether there is such an attribute, and with a value."""
        return self._left.get(key) not in (None, "")

    def flag(self, key: str, *, default: bool) -> bool:
        """Take a boolean."""
        found = self.optional_flag(key)
        return default if found is None else found

    def optional_flag(self, key: str) -> bool | None:
        """Take a boolean that may be missing."""
        value = self._take(key)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).lower() if isinstance(value, str) or value in (0, 1) else ""
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise self._refused(Code.BAD_PARAMS, key, "must be true or false", value)

    def integer(self, key: str, code: Code = Code.BAD_PARAMS) -> int | None:
        """Take a number that is not negative."""
        value = self._take(key)
        if value is None:
            return None
        number = int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _MAX_NUMBER:
            return number
        raise self._refused(code, key, "must be a number that is not negative", value)

    def text(self, key: str, code: Code = Code.BAD_PARAMS) -> str | None:
        """Take text."""
        value = self._take(key)
        if value is None or isinstance(value, str):
            return value
        raise self._refused(code, key, "must be text", value)

    def texts(self, key: str, code: Code = Code.BAD_PARAMS) -> tuple[str, ...] | None:
        """Take a list of text. An empty one is not as if it was missing."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise self._refused(code, key, "must be a list of text", value)
        for one in value:
            if not isinstance(one, str):
                raise self._refused(code, key, "must be a list of text, and has in it", one)
        return tuple(value)

    def nested(self, key: str) -> "Fields | None":
        """Take an object."""
        value = self._take(key)
        return None if value is None else Fields(value, *self.names, key)

    def rest(self) -> dict[str, object]:
        """Take all that is left."""
        rest = self._valued()
        self._left = {}
        return rest

    def drop(self, *keys: str) -> None:
        """Take attributes that mean nothing here."""
        for key in keys:
            self._left.pop(key, None)

    def unknown(self) -> tuple[str, ...]:
        """Return the names of what is left."""
        return tuple(self._valued())

    def refuse_unknown(self) -> None:
        """Refuse what is left."""
        left = self.unknown()
        if left:
            reason = f"is not an attribute that is known here ({listed(left)})"
            raise refusal(Code.BAD_PARAMS, self.path(left[0]), reason)

    def _valued(self) -> dict[str, object]:
        return {key: value for key, value in self._left.items() if value not in (None, "")}

    def _take(self, key: str) -> object:
        value = self._left.pop(key, None)
        return None if value == "" else value

    def _refused(self, code: Code, key: str, rule: str, value: object) -> Exception:
        return refusal(code, self.path(key), f"{rule}, not {quoted(value)}")
