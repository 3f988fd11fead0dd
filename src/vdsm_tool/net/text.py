# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks as lines for a person."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import UNSET

from vdsm_contract.types import HostQos, QosCurve
from vdsm_tool import output
from vdsm_tool.finding import Level
from vdsm_tool.net.stored import Difference
from vdsm_tool.net.tree import Addresses, Device, Forest, NetworkTree

_LEVELS: Final = {"up": Level.OK, "down": Level.WARN, "unknown": Level.UNKNOWN}


def lines(
    forest: Forest,
    differences: Sequence[Difference],
    missing: Sequence[str],
    nameservers: Sequence[str],
) -> list[str]:
    """Return everything that `net show` knows. `missing` networks shall run and have no device."""
    marks = {each.name: each for each in differences if each.kind == "network"}
    text = []
    for network in forest.networks:
        text += [*_network(network, marks.pop(network.name, None)), ""]
    for name in missing:
        note = output.coloured("its device is not there", Level.FAIL)
        text += [f"{name}  {note}", ""]
        marks.pop(name, None)
    if forest.others:
        text.append("devices of no network")
        text += [*_below(forest.others), ""]
    rest = [*marks.values(), *(each for each in differences if each.kind != "network")]
    text += [f"{each.kind} {each.name}: {_mark(each)}" for each in rest]
    text.append(f"nameservers: {', '.join(nameservers) or 'none'}")
    if differences:
        text.append("`vdsm-client Host setSafeNetworkConfig` keeps what runs over the next boot.")
    return text


def _network(network: NetworkTree, difference: Difference | None) -> list[str]:
    words = [network.name, *_address_words(network.addresses)]
    if network.qos:
        words.append(_qos(network.qos))
    if difference:
        words.append(f"({_mark(difference)})")
    return ["  ".join(words), *_below([network.device])]


def _mark(difference: Difference) -> str:
    return output.coloured(str(difference), Level.WARN)


def _below(devices: Iterable[Device], indent: str = "") -> list[str]:
    devices = list(devices)
    text = []
    for device in devices:
        last = device is devices[-1]
        text.append(f"{indent}{'└─ ' if last else '├─ '}{_device(device)}")
        text += _below(device.lower, indent + ("   " if last else "│  "))
    return text


def _device(device: Device) -> str:
    words = [f"{device.kind} {device.name}", output.coloured(device.state, _LEVELS[device.state])]
    if device.mtu:
        words.append(f"MTU {device.mtu}")
    if device.detail:
        words.append(" ".join(f"{name}={value}" for name, value in device.detail.items()))
    if device.addresses:
        words += _address_words(device.addresses)
    return "  ".join(words)


def _address_words(addresses: Addresses) -> list[str]:
    words = [", ".join([*addresses.ipv4, *addresses.ipv6]) or "no address"]
    clients = [
        name
        for name, runs in (
            ("DHCPv4", addresses.dhcpv4),
            ("DHCPv6", addresses.dhcpv6),
            ("SLAAC", addresses.autoconf),
        )
        if runs
    ]
    if clients:
        words.append("by " + " and ".join(clients))
    gateways = [gateway for gateway in (addresses.gateway, addresses.ipv6gateway) if gateway]
    if gateways:
        words.append(f"gateway {', '.join(gateways)}")
    if addresses.default_route:
        words.append("default route")
    return words


def _qos(qos: HostQos) -> str:
    words = [f"share {_share(qos.out.ls)}"]
    if qos.out.ul is not UNSET:
        words.append(f"at most {_rate(qos.out.ul)}")
    if qos.out.rt is not UNSET:
        words.append(f"at least {_rate(qos.out.rt)}")
    return f"QoS: {', '.join(words)}"


def _share(curve: QosCurve) -> str:
    return f"{curve.m1} for {curve.d} us, then {curve.m2}" if curve.d else str(curve.m2)


def _rate(curve: QosCurve) -> str:
    then = f"{curve.m2 / 1e6:g} Mbit/s"
    return f"{curve.m1 / 1e6:g} Mbit/s for {curve.d} us, then {then}" if curve.d else then
