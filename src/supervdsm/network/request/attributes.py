# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks, bonds and devices as JSON objects of oVirt's canonical attributes, and back.

This is the form of stored configurations (upstream-vdsm 3.6): attributes that are None are left
out, and so is the name, which is the file's. The way back is for files that we or upstream wrote:
what is unknown in them is told and left out, since it must not keep a host from its network.
No I/O.
"""

from collections.abc import Mapping

import msgspec

from supervdsm.network import bonding
from supervdsm.network.config import Bond, Device, Network
from supervdsm.network.request import bridge_opts, canonicalize
from supervdsm.network.request.fields import Fields
from supervdsm.network.request.refusal import Code, path, quoted, refusal


def attributes(network: Network) -> dict[str, object]:
    """Return a network's attributes."""
    found = _attributes(network)
    if not network.bridged:
        del found["stp"]
    return found


def bond_attributes(bond: Bond) -> dict[str, object]:
    """Return a bond's attributes."""
    return _attributes(bond)


def device_attributes(device: Device) -> dict[str, object]:
    """Return a device's attributes."""
    return {"sriov": {"numvfs": device.numvfs}}


def network_of(name: str, raw: object) -> tuple[Network, tuple[str, ...]]:
    """Return the network of a file's object, and the attributes that were left out.

    An option that bridges of this kernel's table have not is left out, too.
    Raises NetworkConfigError when it cannot be used at all; its field begins with `nets`.
    """
    usable, refused = _with_usable_bridge_opts(raw)
    fields = Fields(usable, "nets", name)
    fields.drop("remove")
    found = canonicalize.network(name, fields)
    return found, (*fields.unknown(), *(f"custom.bridge_opts.{word}" for word in refused))


def bond_of(name: str, raw: object) -> tuple[Bond, tuple[str, ...]]:
    """Return the bond of a file's object, and the attributes that were left out.

    An option that this kernel's table has not is left out, too. Raises NetworkConfigError when the
    object cannot be used at all; its field begins with `bonds`.
    """
    fields = Fields(raw, "bonds", name)
    fields.drop("remove")
    found = canonicalize.bond(name, fields)
    values, refused = bonding.parse_usable(found.options)
    unknown = (*fields.unknown(), *(f"options.{option}" for option in refused))
    return msgspec.structs.replace(found, options=bonding.render(values)), unknown


def device_of(name: str, raw: object) -> tuple[Device, tuple[str, ...]]:
    """Return the device of a file's object, and the attributes that were left out.

    Raises NetworkConfigError when it cannot be used at all; its field begins with `devices`.
    """
    fields = Fields(raw, "devices", name)
    sriov = fields.nested("sriov")
    numvfs = sriov.integer("numvfs") if sriov else None
    if numvfs is None:
        where = path("devices", name, "sriov", "numvfs")
        raise refusal(Code.BAD_PARAMS, where, f"is missing in {quoted(raw)}")
    return Device(name=name, numvfs=numvfs), fields.unknown()


def _with_usable_bridge_opts(raw: object) -> tuple[object, list[str]]:
    custom = raw.get("custom") if isinstance(raw, Mapping) else None
    text = custom.get("bridge_opts") if isinstance(custom, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(custom, Mapping) or not isinstance(text, str):
        return raw, []
    options, refused = bridge_opts.parse_usable(text)
    return {**raw, "custom": {**custom, "bridge_opts": bridge_opts.render(options)}}, refused


def _attributes(value: Network | Bond) -> dict[str, object]:
    plain = msgspec.to_builtins(value)
    return {
        key: list(one) if isinstance(one, tuple) else one
        for key, one in plain.items()
        if key != "name" and one is not None
    }
