# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/security.md promises of every verb, by short names: the columns of its table."""

from enum import Enum


class Promise(Enum):
    """The value is the promise in one sentence."""

    PEER = "only root, and uid 36 from inside of vdsm.service, may call it"
    HELLO = "vdsm must have said Hello with the right contract version"
    WHOLE = "a message that is cut off runs nothing"
    SIZE = "a message beyond the limit runs nothing and ends its connection"
    QUOTA = "a uid has a number of connections; others are served meanwhile"
    TIME = "it ends, or is answered, within its limit; a message that has begun must end"
    TYPED = "arguments of a wrong type, and those that nobody declared, are refused by their names"
    PATH = "no path, `..`, other spelling or planted link leads out of what is granted"
    LINK = "no link that is swapped in during the call is followed"
    NAME = "names, words and options are of a closed list or pattern, and never a command"
    NUMBER = "numbers out of their range are refused by their names"
    UNCHANGED = "a refused call changes nothing on the host"
    ERROR = "an error is one that was declared, and tells nothing of the inside"
    AUDIT = "each call leaves one line in the audit, and cannot forge another"
    SECRET = "an argument that is secret is in no log at any level"

    @property
    def key(self) -> str:
        """Its short name."""
        return self.name.lower()
