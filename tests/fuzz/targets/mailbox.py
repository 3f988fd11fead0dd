# SPDX-License-Identifier: GPL-2.0-or-later
"""The SPM's mailbox: all slots of one host, and the checksum.

A short input is repeated to the size of a mailbox. Oracle: BadMessage or a message, which is
written as it was read, but for digits and filling; the checksum that is made is right, and wrong
after a change.
"""

from collections.abc import Mapping

from fuzz.target import require
from vdsm.storage.formats import mailbox as fmt
from vdsm.storage.formats.mailbox import BadMessage, Extend

MOST = 512
_SLOT, _OTHER = 3, bytes(63) + b"\1"
_UUID = "5e0f3a4c-8f5a-4a35-9a0c-d2b9d3a1f0e1"


def run(data: bytes) -> None:
    whole = (data * (fmt.MAILBOX_SIZE // max(len(data), 1) + 1))[: fmt.MAILBOX_SIZE]
    whole = whole.ljust(fmt.MAILBOX_SIZE, b"\0")
    slots = fmt.messages(whole)
    require(len(slots) == fmt.MESSAGES, "slots")
    for message in {*slots[:8], data}:
        if message and not fmt.is_empty(message):
            check(message)
    if not data or data[0] & 3:
        return  # sums of 4096 bytes take their time
    sealed = fmt.seal(whole)
    require(fmt.is_sealed(sealed), "a seal that is not accepted")
    changed = fmt.with_message(sealed, _SLOT, _OTHER)
    same_sum = sum(fmt.messages(sealed)[_SLOT]) == sum(_OTHER)
    require(fmt.is_sealed(changed) == same_sum, "a seal over another content")
    require(not fmt.is_sealed(data), "a seal of a short mailbox")


def check(message: bytes) -> None:
    try:
        found = fmt.decode(message)
    except BadMessage as error:
        require(len(str(error)) < 200, "an error that repeats the input")
        return
    require(0 <= found.size_mib <= fmt.MAX_SIZE, "the size")
    written = found.encode()
    require(fmt.decode(written) == found, "another message")
    require(written[:37] == message[:37], "other bytes of the same message")


def seeds() -> Mapping[str, bytes]:
    extend = Extend(_UUID, _UUID[::-1].replace("-", "")[:32], 2048).encode()
    return {
        "extend": extend,
        "failed": Extend(_UUID, _UUID, 0).encode(),
        "clean": fmt.CLEAN,
        "empty": fmt.EMPTY,
        "several": extend + fmt.EMPTY + fmt.CLEAN + extend,
        "size": extend[:37] + b"fffffffffffffFFF" + extend[53:],
    }
