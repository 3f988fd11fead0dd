# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of others in our log."""

import msgspec


def quote(text: str, limit: int) -> str:
    """Return `text` as a JSON string of ASCII in one line, cut to `limit` characters."""
    printable = text[:limit].encode("ascii", "backslashreplace").decode()
    return msgspec.json.encode(printable).decode()
