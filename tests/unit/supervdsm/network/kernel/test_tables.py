# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of devices, from dumps and events in any order."""

import pytest

from supervdsm.network.kernel import attributes, links, socket
from supervdsm.network.kernel.model import IFF_RUNNING, IFF_UP, Link
from supervdsm.network.kernel.tables import Tables

UP = IFF_UP | IFF_RUNNING


def event(
    index: int, name: str, flags: int = 0, kind: int = links.RTM_NEWLINK, family: int = 0
) -> memoryview:
    header = links.HEADER.pack(family, 0, index, flags, 0)
    return memoryview(socket.message(kind, 0, header + attributes.text(3, name)))


def other(kind: int) -> memoryview:
    return memoryview(socket.message(kind, 0, bytes(16)))


@pytest.fixture
def tables() -> Tables:
    """Two devices, of which one is up; addresses and routes known."""
    made = Tables()
    made.fill([Link(1, "eno1", flags=UP), Link(2, "eno2")], 0)
    made.addresses, made.routes = (), ()
    return made


def changes(tables: Tables) -> list[tuple[str, bool]]:
    return [(change.link.name, change.up) for change in tables.take_changes()]


def test_an_event_replaces_what_was_known(tables: Tables) -> None:
    tables.apply(event(2, "renamed", UP), 5)
    tables.apply(event(3, "new"), 5)
    assert [(link.name, link.up) for link in tables.links()] == [
        ("eno1", True),
        ("renamed", True),
        ("new", False),
    ]
    assert changes(tables) == [("renamed", True)]
    assert changes(tables) == []


def test_what_goes_up_and_down_at_once_is_two_changes(tables: Tables) -> None:
    tables.apply(event(2, "eno2", UP), 5)
    tables.apply(event(2, "eno2", UP), 6)
    tables.apply(event(2, "eno2", IFF_UP), 7)
    assert [(change.up, change.time) for change in tables.take_changes()] == [(True, 5), (False, 7)]


def test_a_device_that_goes_away_goes_down(tables: Tables) -> None:
    tables.apply(event(1, "eno1", UP, links.RTM_DELLINK), 5)
    tables.apply(event(2, "eno2", 0, links.RTM_DELLINK), 5)
    assert tables.links() == ()
    assert changes(tables) == [("eno1", False)]


def test_a_port_that_leaves_its_bridge_is_still_there(tables: Tables) -> None:
    tables.apply(event(1, "eno1", UP, links.RTM_DELLINK, family=7), 5)
    assert [link.name for link in tables.links()] == ["eno1", "eno2"]
    assert changes(tables) == []


@pytest.mark.parametrize(
    ("message", "addresses", "routes"),
    [
        (event(1, "eno1", UP), True, False),
        (event(1, "eno1", 0, links.RTM_DELLINK), False, False),
        (other(20), False, False),
        (other(21), False, False),
        (other(24), True, False),
        (other(25), True, False),
    ],
)
def test_what_must_be_dumped_anew(
    tables: Tables, message: memoryview, addresses: bool, routes: bool
) -> None:
    tables.apply(message, 5)
    assert ((tables.addresses is not None), (tables.routes is not None)) == (addresses, routes)


def test_the_first_dump_tells_no_changes(tables: Tables) -> None:
    assert changes(tables) == []


def test_a_dump_after_lost_events_tells_what_is_different(tables: Tables) -> None:
    tables.fill([Link(2, "eno2", flags=UP), Link(3, "eno3", flags=UP), Link(4, "eno4")], 5)
    assert sorted(changes(tables)) == [("eno1", False), ("eno2", True), ("eno3", True)]
    assert (tables.addresses, tables.routes) == (None, None)
