# SPDX-License-Identifier: GPL-2.0-or-later
"""Half a network is found, whichever half it is."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from chaos import kernel
from chaos.load.networks import after, change, text

NICS = ["n0", "n1"]
NETWORKS = {
    "n0-net": {
        "nic": "n0",
        "bridged": True,
        "mtu": 1400,
        "ipaddr": "10.9.1.2",
        "netmask": "255.255.255.0",
        "gateway": "10.9.1.1",
    }
}


def link(**attributes: Any) -> dict[str, Any]:
    return {"mtu": 1500, "up": True, "kind": "veth", **attributes}


def dump() -> dict[str, Any]:
    """The kernel with these networks."""
    address = {"family": "inet", "local": "10.9.1.2", "prefixlen": 24}
    return {
        "links": {
            "n0": link(mtu=1400, master="n0-net"),
            "n1": link(),
            "n0-net": link(mtu=1400, kind="bridge"),
        },
        "addresses": {"n0-net": [json.dumps(address)]},
        "routes": [
            json.dumps({"dst": "10.9.1.0/24", "dev": "n0-net", "prefsrc": "10.9.1.2"}),
            json.dumps({"dst": "default", "gateway": "10.9.1.1", "dev": "n0-net", "table": "9"}),
        ],
        "rules": [json.dumps({"src": "10.9.1.0", "srclen": 24})],
    }


def without_bridge(found: dict[str, Any]) -> None:
    del found["links"]["n0-net"]


def without_port(found: dict[str, Any]) -> None:
    del found["links"]["n0"]["master"]


def other_mtu(found: dict[str, Any]) -> None:
    found["links"]["n0-net"]["mtu"] = 1500


def down(found: dict[str, Any]) -> None:
    found["links"]["n0"]["up"] = False


def without_address(found: dict[str, Any]) -> None:
    found["addresses"] = {}


def address_on_the_nic(found: dict[str, Any]) -> None:
    found["addresses"]["n1"] = found["addresses"]["n0-net"]


def without_gateway(found: dict[str, Any]) -> None:
    found["routes"].pop()


def with_a_bridge_left(found: dict[str, Any]) -> None:
    found["links"]["n1-net"] = link(kind="bridge")


def without_the_nic(found: dict[str, Any]) -> None:
    del found["links"]["n1"]


def test_what_is_as_it_must_be() -> None:
    assert kernel.wrong(NETWORKS, NICS, dump()) == []


@pytest.mark.parametrize(
    "harm",
    [
        without_bridge,
        without_port,
        other_mtu,
        down,
        without_address,
        address_on_the_nic,
        without_gateway,
        with_a_bridge_left,
        without_the_nic,
    ],
)
def test_what_is_not(harm: Callable[[dict[str, Any]], None]) -> None:
    found = dump()
    harm(found)
    assert kernel.wrong(NETWORKS, NICS, found) != []


def test_networks_that_were_removed_leave_nothing() -> None:
    assert kernel.wrong({}, NICS, dump()) != []


def test_what_vdsm_tells_is_compared_by_name() -> None:
    assert kernel.wrongly_told(NETWORKS, NICS, {"n0-net", "leased"}) == []
    assert kernel.wrongly_told(NETWORKS, NICS, set()) == ["vdsm does not tell of n0-net"]
    assert kernel.wrongly_told({}, NICS, {"n0-net"}) == ["vdsm tells of n0-net"]


def test_leftovers_are_devices_and_rules_of_nobody() -> None:
    start = {"links": {"n0": {}, "n1": {}}, "rules": []}
    assert kernel.leftovers(NETWORKS, dump(), start) == []
    found = copy.deepcopy(dump())
    found["links"]["strange"] = link()
    found["rules"].append(json.dumps({"src": "10.9.7.0"}))
    assert len(kernel.leftovers(NETWORKS, found, start)) == 2


def test_requests_are_a_function_of_the_seed() -> None:
    def states(seed: str) -> list[str]:
        choices, now, seen = random.Random(seed), {}, []
        for _ in range(50):
            now = after(now, change(choices, now, NICS, 1))
            seen.append(text(now))
        return seen

    assert states("a") == states("a") != states("b")
    assert len(set(states("a"))) > 20
