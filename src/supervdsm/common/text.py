# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of others in our log."""

import textwrap
import traceback

import msgspec


def quote(text: str, limit: int) -> str:
    """Return `text` as a JSON string of ASCII in one line, cut to `limit` characters."""
    return msgspec.json.encode(plain(text[:limit])).decode()


def plain(text: str) -> str:
    """Return a line of JSON, or a text that becomes one, in printable ASCII.

    JSON escapes what is below a blank. It leaves DEL as it is, which a terminal obeys.
    """
    return text.replace("\x7f", "\\u007f").encode("ascii", "backslashreplace").decode()


def told(error: BaseException) -> str:
    """Return the traceback of `error`.

    Its lines begin with "| ", so that none of them, whatever the error quotes, looks like another
    line of the log.
    """
    text = "".join(traceback.format_exception(error))
    return textwrap.indent(text, "| ", lambda _line: True).rstrip()
