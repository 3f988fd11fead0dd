# SPDX-License-Identifier: GPL-2.0-or-later
"""An operation, as what is to be sent, written or called for it."""

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from supervdsm.network.apply import messages, options, qos, resolv_conf
from supervdsm.network.apply.device_files import DeviceFiles
from supervdsm.network.kernel.socket import NetlinkSocket
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.state import Device, Dhcp

_NOTHING: Final[frozenset[int]] = frozenset()
_THERE: Final = frozenset({errno.EEXIST})
_GONE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH})
_DEFAULT_MTU: Final = 1500


class DhcpClients(Protocol):
    """The service that keeps DHCP clients. Its methods raise OSError or ServiceFailed."""

    def start(self, device: str, dhcp: Dhcp, /) -> None:
        """Start a device's client; one that runs with the same wishes stays."""

    def stop(self, device: str, /) -> None:
        """Stop a device's client, if it has one."""


@dataclass(frozen=True, slots=True)
class Step:
    """First `requests` go to the kernel, then `effect` is called.

    The errors `fine` of a request mean that there was nothing to do.
    """

    requests: tuple[bytes, ...] = ()
    fine: frozenset[int] = _NOTHING
    effect: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """What operations are carried out with."""

    netlink: NetlinkSocket
    index: Callable[[str], int]
    """Finds a device by its name; raises OSError with ENODEV."""
    files: DeviceFiles
    dhcp: DhcpClients
    host_root: Path


def step(operation: op.Operation, tools: Tools) -> Step:
    """Say how to carry out an operation. Raises OSError when a device that it needs is missing."""
    match operation:
        case op.CreateDevice(device):
            return _create(device, tools)
        case op.DeleteDevice(name):
            return deletion(name)
        case op.SetUp(name, up):
            return Step((messages.set_up(name, up),))
        case op.SetMtu(name, mtu):
            return Step((messages.set_mtu(name, mtu),))
        case op.SetHwaddr(name, hwaddr):
            return Step((messages.set_hwaddr(name, hwaddr),))
        case op.SetMaster(name, master):
            return Step((messages.set_master(name, tools.index(master) if master else 0),))
        case op.SetOptions(name, kind, values):
            return _options(name, kind, values, tools)
        case op.SetIpv6(name, ipv6):
            return Step(effect=lambda: tools.files.set_ipv6(name, ipv6))
        case op.SetQos(name, classes):
            return Step(effect=lambda: qos.set_qos(tools.netlink, tools.index(name), classes))
        case op.StartDhcp(name, dhcp):
            return Step(effect=lambda: tools.dhcp.start(name, dhcp))
        case op.StopDhcp(name):
            return Step(effect=lambda: tools.dhcp.stop(name))
        case op.SetNameservers(nameservers):
            return Step(effect=lambda: resolv_conf.write(tools.host_root, nameservers))
        case _:
            return _addressing(operation, tools)


def deletion(name: str) -> Step:
    """Remove one device."""
    return Step((messages.delete_link(name),), _GONE)


def _addressing(
    operation: op.AddAddress
    | op.RemoveAddress
    | op.AddRoute
    | op.RemoveRoute
    | op.AddRule
    | op.RemoveRule,
    tools: Tools,
) -> Step:
    match operation:
        case op.AddAddress(name, address):
            return Step((messages.add_address(tools.index(name), address),), _THERE)
        case op.RemoveAddress(name, address):
            return _removal(name, lambda index: messages.remove_address(index, address), tools)
        case op.AddRoute(route):
            return Step((messages.add_route(tools.index(route.device), route),), _THERE)
        case op.RemoveRoute(route):
            return _removal(route.device, lambda index: messages.remove_route(index, route), tools)
        case op.AddRule(rule):
            return Step((messages.add_rule(rule),), _THERE)
        case op.RemoveRule(rule):
            return Step((messages.remove_rule(rule),), _GONE)


def _removal(name: str, request: Callable[[int], bytes], tools: Tools) -> Step:
    """Remove what went with its device, if that is gone."""
    try:
        index = tools.index(name)
    except OSError as error:
        if error.errno == errno.ENODEV:
            return Step()
        raise
    return Step((request(index),), _GONE)


def _create(device: Device, tools: Tools) -> Step:
    # A bridge that gets its MTU when it is made takes another one with its first port. Only an MTU
    # that was changed later counts as chosen (net/bridge/br_if.c, br_mtu_auto_adjust).
    later = device.kind == "bridge" and device.mtu not in {None, _DEFAULT_MTU}
    packed = options.pack(device.kind, device.options or {}, tools.index)
    made = messages.create_link(
        device.name,
        device.kind,
        mtu=None if later else device.mtu,
        hwaddr=device.hwaddr,
        master=tools.index(device.master) if device.master else 0,
        lower=tools.index(device.lower) if device.lower else 0,
        data=messages.vlan_data(device.vlan) if device.kind == "vlan" else packed.data,
    )
    mtu = (messages.set_mtu(device.name, device.mtu),) if later and device.mtu else ()
    return Step((made, *mtu), effect=_files(device.name, device.kind, packed.files, tools))


def _options(name: str, kind: str, values: dict[str, str], tools: Tools) -> Step:
    packed = options.pack(kind, values, tools.index)
    requests = (messages.set_data(name, kind, packed.data),) if packed.data else ()
    return Step(requests, effect=_files(name, kind, packed.files, tools))


def _files(name: str, kind: str, values: dict[str, str], tools: Tools) -> Callable[[], None] | None:
    if not values:
        return None

    def write() -> None:
        for option, value in values.items():
            tools.files.set_option(name, kind, option, value)

    return write


def index_of(name: str) -> int:
    """Return a device's index. Raises OSError with ENODEV when there is no such device."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.ENODEV, f"there is no device {name}") from None
