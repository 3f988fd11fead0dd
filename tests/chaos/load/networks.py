# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of networks, and what the kernel must have of them.

A state is what one client has configured: networks by their names. Its text, as it stands in the
model's register, is JSON with sorted keys.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from chaos.load.client import Client

Networks = Mapping[str, Mapping[str, Any]]

VERB: Final = "Host.setupNetworks"
_OPTIONS: Final = {"connectivityCheck": False, "commitOnSuccess": True}


def text(networks: Networks) -> str:
    """The value of the register."""
    return json.dumps(networks, sort_keys=True)


def network_name(nic: str) -> str:
    """The only network that a NIC may have."""
    return f"{nic}-net"


def attributes(choices: Random, nic: str, third: int) -> dict[str, Any]:
    """A network on a NIC; `third` is a byte of its addresses."""
    network: dict[str, Any] = {"nic": nic, "bridged": choices.random() < 0.6}
    if choices.random() < 0.5:
        network["mtu"] = 1400
    if choices.random() < 0.7:
        network |= {"ipaddr": f"10.9.{third}.2", "netmask": "255.255.255.0"}
        if choices.random() < 0.5:
            network["gateway"] = f"10.9.{third}.1"
    return network


def change(choices: Random, now: Networks, nics: Sequence[str], first: int) -> dict[str, Any]:
    """A request: some networks made, changed or removed. Each NIC has one network of its own."""
    wanted: dict[str, Any] = {}
    for number in sorted(choices.sample(range(len(nics)), choices.randint(1, len(nics)))):
        name = network_name(nics[number])
        if name in now and choices.random() < 0.4:
            wanted[name] = {"remove": True}
        else:
            wanted[name] = attributes(choices, nics[number], first + number)
    return wanted


def after(now: Networks, request: Networks) -> dict[str, Any]:
    """The state after a request was carried out."""
    merged = {**now, **request}
    return {name: one for name, one in merged.items() if not one.get("remove")}


class Networker(Client):
    """Changes networks on NICs that are its own, one request after the other."""

    nics: Sequence[str]
    first: int

    @property
    def register(self) -> str:
        return f"networks of {self.name}"

    def step(self) -> None:
        with self.book.lock:
            if self.book.ledger.in_doubt(self.register):
                doubt = True
            else:
                doubt, now = False, json.loads(self.book.ledger.value(self.register))
        if doubt:  # until somebody has looked
            self.call("Host.getNetworkCapabilities")
            return
        request = change(self.choices, now, self.nics, self.first)
        params = {"networks": request, "bondings": {}, "options": _OPTIONS}
        self.call(VERB, params, writes={self.register: text(after(now, request))})
