# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, bonds and devices as they are configured: oVirt's canonical attributes, typed.

Names and defaults: upstream-vdsm 3.1. What is here was checked (`request/`) or read from our own
files (`transaction/store.py`); the rest of the room need not doubt it. No I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from vdsm_contract.types import HostQos

DEFAULT_MTU: Final = 1500
LEGACY: Final = "legacy"
"""The switch of the kernel's own bridges, bonds and VLANs; the only one here."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network. `nic` or `bonding` is its base; with neither it is a bridge alone."""

    name: str
    nic: str | None = None
    bonding: str | None = None
    vlan: int | None = None
    bridged: bool = True
    mtu: int = DEFAULT_MTU
    stp: bool = False
    """Only when bridged."""
    switch: str = LEGACY
    defaultRoute: bool = False
    bootproto: Literal["none", "dhcp"] = "none"
    ipaddr: str | None = None
    netmask: str | None = None
    """Dotted; set when and only when `ipaddr` is."""
    gateway: str | None = None
    ipv6addr: str | None = None
    """CIDR notation, compressed."""
    ipv6gateway: str | None = None
    dhcpv6: bool = False
    ipv6autoconf: bool = False
    nameservers: tuple[str, ...] = ()
    hostQos: HostQos | None = None
    custom: dict[str, str] | None = None

    @property
    def base(self) -> str:
        """The NIC or bond that carries its frames; empty when it has none."""
        return self.nic or self.bonding or ""

    @property
    def southbound(self) -> str:
        """The device below its bridge: the VLAN, NIC or bond; the bridge itself without any."""
        if not self.base:
            return self.name
        return self.base if self.vlan is None else f"{self.base}.{self.vlan}"

    @property
    def iface(self) -> str:
        """The device that has its addresses."""
        return self.name if self.bridged else self.southbound

    @property
    def bridge_options(self) -> dict[str, str]:
        """Names and values for sysfs' directory `bridge`, of `custom.bridge_opts`."""
        text = (self.custom or {}).get("bridge_opts", "")
        return dict(word.split("=", 1) for word in text.split())


class Bond(msgspec.Struct, frozen=True, kw_only=True):
    """A bond. `options` is a mode and options by number, as in `mode=4 miimon=100`: what
    `bonding.render` makes.
    """

    name: str
    nics: tuple[str, ...]
    """Sorted."""
    options: str = "mode=0"
    hwaddr: str | None = None
    switch: str = LEGACY

    @property
    def option_values(self) -> dict[str, str]:
        """The options by name."""
        return dict(word.split("=", 1) for word in self.options.split())


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A NIC with virtual functions (SR-IOV)."""

    name: str
    numvfs: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it, by name. What `setupNetworks` changes and what a boot restores."""

    networks: Mapping[str, Network] = field(default_factory=dict)
    bonds: Mapping[str, Bond] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    unwanted: frozenset[str] = frozenset()
    """Asked for in a change, never stored: bonds that somebody else made, and that shall go."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a change is confirmed (upstream-vdsm 3.2). `timeout` is in seconds."""

    connectivity_check: bool = True
    timeout: int = 4
    commit_on_success: bool = False
