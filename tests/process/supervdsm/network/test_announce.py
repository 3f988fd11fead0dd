# SPDX-License-Identifier: GPL-2.0-or-later
"""Announcements as a neighbour's kernel takes them."""

import json
import time
from collections.abc import Iterator

import pytest

from process.supervdsm.network.inside import inside
from process.supervdsm.network.namespace import Namespace, run
from supervdsm.network.apply.announce import Announcer
from supervdsm.network.plan.state import Address, Device, State

OLD, NEW = "52:54:00:00:00:01", "52:54:00:00:00:02"
ADDRESSES = ("198.51.100.2/24", "2001:db8::2/64")


@pytest.fixture
def neighbour(namespace: Namespace) -> Iterator[str]:
    """A namespace at the other end of `nic0`, which has spoken with its old hardware address."""
    name = f"{namespace.name}-far"
    run("ip", "netns", "add", name)
    try:
        namespace.ip(f"link add nic0 type veth peer name far netns {name}")
        namespace.batch(
            f"link set nic0 address {NEW} up", *(f"addr add {one} dev nic0" for one in ADDRESSES)
        )
        lines = ["link set far up", "addr add 198.51.100.1/24 dev far"]
        lines += ["addr add 2001:db8::1/64 dev far nodad"]
        lines += [
            f"neigh add {one.split('/')[0]} lladdr {OLD} dev far nud stale" for one in ADDRESSES
        ]
        run("ip", "-n", name, "-batch", "-", text="\n".join(lines))
        yield name
    finally:
        run("ip", "netns", "del", name)


def test_a_neighbour_learns_of_the_new_hardware_address(
    namespace: Namespace, neighbour: str
) -> None:
    addresses = tuple(map(Address, ADDRESSES))
    state = State(devices={"nic0": Device(name="nic0", kind="nic", up=True, addresses=addresses)})
    with inside(namespace.name) as call:
        # IPv6 checks the address for a second first.
        call(Announcer((0, 0.5, 0.5, 1, 1, 2)).announce, state)
    end = time.monotonic() + 20
    while (known := cache(neighbour)) != dict.fromkeys(("198.51.100.2", "2001:db8::2"), NEW):
        assert time.monotonic() < end, known
        time.sleep(0.05)


def cache(name: str) -> dict[str, str]:
    found = json.loads(run("ip", "-n", name, "-j", "neigh", "show", "dev", "far"))
    return {one["dst"]: one["lladdr"] for one in found if not one["dst"].startswith("fe80")}
