# SPDX-License-Identifier: GPL-2.0-or-later
"""What calls in tests have: a connection, and a thread that serves them."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end of a connection, and the caller's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """One thread beside the test's."""
    with ThreadPoolExecutor(1) as made:
        yield made
