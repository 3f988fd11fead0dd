# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, bonds and devices as the attributes in oVirt's files (upstream-vdsm 3.6), and back.

What oVirt's vdsm wrote, in any of its versions, is understood: attributes that we do not have are
skipped, and a number may be in quotes. No I/O.
"""

from typing import Final

import msgspec

from supervdsm.network.config import Bond, Device, Network

_VIRTUAL_FUNCTIONS: Final = "sriov"


class _Sriov(msgspec.Struct):
    numvfs: int


class _Device(msgspec.Struct):
    sriov: _Sriov


def of_network(network: Network) -> dict[str, object]:
    """Return the canonical attributes of a network; those without a value are left out."""
    found = _of(network)
    if not network.bridged:
        del found["stp"]
    return found


def of_bond(bond: Bond) -> dict[str, object]:
    """Return the canonical attributes of a bond."""
    return _of(bond)


def of_device(device: Device) -> dict[str, object]:
    """Return the attributes of a device."""
    return {_VIRTUAL_FUNCTIONS: {"numvfs": device.numvfs}}


def network(name: str, attributes: object) -> Network:
    """Return the network of its attributes. Raises ValueError."""
    found = _known(name, attributes)
    if found.get("nic") and found.get("bonding"):
        del found["bonding"]  # nic wins
    if found.get("vlan") == "":
        del found["vlan"]
    if "custom" in found:
        custom = msgspec.convert(found["custom"], dict[str, object])
        found["custom"] = {key: value for key, value in custom.items() if isinstance(value, str)}
    return msgspec.convert(found, Network, strict=False)


def bond(name: str, attributes: object) -> Bond:
    """Return the bond of its attributes. Raises ValueError."""
    return msgspec.convert(_known(name, attributes), Bond, strict=False)


def device(name: str, attributes: object) -> Device:
    """Return the device of its attributes. Raises ValueError."""
    found = msgspec.convert(attributes, _Device, strict=False)
    return Device(name=name, numvfs=found.sriov.numvfs)


def _of(entity: Network | Bond) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(entity)
    del found["name"]
    return {key: value for key, value in found.items() if value is not None}


def _known(name: str, attributes: object) -> dict[str, object]:
    found = msgspec.convert(attributes, dict[str, object])
    return {**{key: value for key, value in found.items() if value is not None}, "name": name}
