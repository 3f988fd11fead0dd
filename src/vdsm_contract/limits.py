# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes and times that bound what one side may ask of the other. Times are in seconds."""

from typing import Final

MAX_MESSAGE: Final = 8 * 1024 * 1024
"""Largest message in bytes, in either direction, without its NUL."""

MESSAGE_DEADLINE: Final = 5.0
"""How long a message may take from its first byte to its last, to be read or to be written."""

HELLO_DEADLINE: Final = 10.0
"""How long a new connection may stay silent before its first message."""

REPLY_GRACE: Final = 2.0
"""What a caller waits beyond a verb's limit, so that the server's own TimedOut arrives first."""

POOL_SIZE: Final = 8
"""Idle connections that a proxy keeps for good; it opens more when more threads call at once."""

IDLE_SECONDS: Final = 10.0
"""How long a proxy keeps an idle connection beyond those."""

MAX_CONNECTIONS: Final = 32
"""Connections that a proxy opens at most; further callers wait for one."""

CONNECTIONS_PER_UID: Final = 64
"""Connections that supervdsm accepts from a uid at a time: from vdsm's and, apart, from root's."""
