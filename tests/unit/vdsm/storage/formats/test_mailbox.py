# SPDX-License-Identifier: GPL-2.0-or-later
"""The bytes of the mailbox: as oVirt's hosts write them, and what is refused."""

import contextlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.storage.formats import mailbox
from vdsm.storage.formats.mailbox import (
    CLEAN,
    EMPTY,
    EMPTY_MAILBOX,
    MAILBOX_SIZE,
    MAX_SIZE,
    MESSAGE_SIZE,
    MESSAGES,
    BadMessage,
    Extend,
)

DOMAIN = "7a16d0b4-8a2e-4f0c-9c3f-2a0c5f1b9e01"
VOLUME = "00000000-0000-0000-0000-0000000000ff"

uuids = st.uuids().map(str)


def test_a_request_has_the_bytes_that_other_hosts_read() -> None:
    message = Extend(DOMAIN, VOLUME, 2048).encode()
    assert message == (
        b"1xtnd"
        + bytes.fromhex("019e1b5f0c2a3f9c0c4f2e8ab4d0167a")
        + b"\xff"
        + bytes(15)
        + b"0000000000000800"
        + b"0" * 11
    )
    assert len(message) == MESSAGE_SIZE


def test_the_checksum_is_the_sum_of_the_bytes() -> None:
    sealed = mailbox.seal(mailbox.with_message(EMPTY_MAILBOX, 2, CLEAN))
    assert sealed[2 * MESSAGE_SIZE : 3 * MESSAGE_SIZE] == CLEAN
    assert sealed[-4:] == bytes([64, 0, 0, 0])
    assert mailbox.is_sealed(sealed)
    assert mailbox.seal(EMPTY_MAILBOX) == EMPTY_MAILBOX


@given(uuids, uuids, st.integers(0, MAX_SIZE))
def test_what_is_written_is_read(domain: str, volume: str, size: int) -> None:
    request = Extend(domain, volume, size)
    assert mailbox.decode(request.encode()) == request


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Extend(DOMAIN, VOLUME, size).encode()


@given(st.binary(min_size=0, max_size=2 * MESSAGE_SIZE))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadMessage):
        assert uuid.UUID(mailbox.decode(data).domain)


@given(st.binary(min_size=11, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_message_with_any_size_is_read_or_refused(pad: bytes, size: bytes) -> None:
    message = (b"1xtnd" + bytes(32) + size + pad)[:MESSAGE_SIZE]
    try:
        found = mailbox.decode(message)
    except BadMessage:
        return
    assert 0 <= found.size_mib == int(size, 16) <= MAX_SIZE


@given(st.integers(0, MAILBOX_SIZE - 1), st.integers(1, 255))
def test_one_changed_byte_is_seen(place: int, change: int) -> None:
    sealed = bytearray(mailbox.seal(mailbox.with_message(EMPTY_MAILBOX, 0, b"a" * MESSAGE_SIZE)))
    sealed[place] = (sealed[place] + change) % 256
    assert not mailbox.is_sealed(bytes(sealed))


def test_a_mailbox_has_63_messages_and_empty_ones_are_known() -> None:
    found = mailbox.messages(EMPTY_MAILBOX)
    assert found == [EMPTY] * MESSAGES
    assert mailbox.is_empty(EMPTY)
    assert mailbox.is_empty(b"0" * MESSAGE_SIZE)
    assert not mailbox.is_empty(CLEAN)
