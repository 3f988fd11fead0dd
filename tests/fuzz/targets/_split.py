# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream in other pieces: what is read must not depend on how it arrived."""

from collections.abc import Iterator

MOST = 24


def pieces(data: bytes, pattern: int) -> Iterator[bytes]:
    """`data` in pieces; `pattern`, a byte, says how long they are in turn: 1 to 16, and 1 to 241.
    What is left after MOST of them is one."""
    first, second = (pattern & 15) + 1, (pattern >> 4) * 16 + 1
    at = 0
    for _ in range(MOST):
        if at >= len(data):
            return
        yield data[at : at + first]
        at += first
        first, second = second, first
    yield data[at:]
