# SPDX-License-Identifier: GPL-2.0-or-later
"""Announcements, byte by byte as the RFCs draw them, and which addresses are announced."""

import threading
from ipaddress import IPv4Address, IPv6Address

import pytest

from supervdsm.network.apply import announce
from supervdsm.network.apply.announce import Announcer
from supervdsm.network.plan.state import Address, Device, State

HWADDR = bytes.fromhex("5254000102ff")


def test_arp_tells_all_by_a_request_for_one_s_own_address() -> None:
    frame = announce.arp_announcement(HWADDR, IPv4Address("192.0.2.7"))
    assert frame.hex(" ") == (
        "ff ff ff ff ff ff 52 54 00 01 02 ff 08 06 "
        "00 01 08 00 06 04 00 01 "
        "52 54 00 01 02 ff c0 00 02 07 "
        "00 00 00 00 00 00 c0 00 02 07"
    )


def test_an_advertisement_overrides_and_has_the_hardware_address() -> None:
    message = announce.neighbor_advertisement(HWADDR, IPv6Address("2001:db8::7"))
    assert message.hex(" ") == (
        "88 00 00 00 20 00 00 00 "
        "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07 "
        "02 01 52 54 00 01 02 ff"
    )


def state(*addresses: Address, up: bool = True) -> State:
    return State(devices={"red": Device(name="red", kind="bridge", up=up, addresses=addresses)})


class Heard:
    """What was sent, and when there is more of it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.more = threading.Condition()

    def __call__(self, device: str, address: str) -> None:
        with self.more:
            self.sent.append((device, address))
            self.more.notify_all()
        if address == "192.0.2.99":
            raise OSError(99, "Cannot assign requested address")

    def wait(self, count: int) -> bool:
        with self.more:
            return self.more.wait_for(lambda: len(self.sent) >= count, 10)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    heard = Heard()
    monkeypatch.setattr(announce, "_send", heard)
    return heard


def test_addresses_are_announced_each_time_but_for_leases_and_what_is_down(heard: Heard) -> None:
    addresses = (Address("192.0.2.1/24"), Address("192.0.2.9/24", lifetime=60))
    announcer = Announcer((0, 0.01))
    announcer.announce(state(*addresses, up=False))
    announcer.announce(State())
    announcer.announce(state(*addresses))
    assert heard.wait(2)
    assert heard.sent == [("red", "192.0.2.1")] * 2


def test_one_that_cannot_be_sent_does_not_hold_up_the_others(heard: Heard) -> None:
    Announcer((0,)).announce(state(Address("192.0.2.99/24"), Address("2001:db8::1/64")))
    assert heard.wait(2)
    assert heard.sent == [("red", "192.0.2.99"), ("red", "2001:db8::1")]


def test_a_newer_state_is_announced_instead_of_the_last_one(heard: Heard) -> None:
    announcer = Announcer((0, 0.05))
    announcer.announce(state(Address("192.0.2.1/24")))
    assert heard.wait(1)
    announcer.announce(state(Address("192.0.2.2/24")))
    assert heard.wait(3)
    assert heard.sent == [("red", "192.0.2.1"), ("red", "192.0.2.2"), ("red", "192.0.2.2")]
