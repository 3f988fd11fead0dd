# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.*: the verbs that change the host's network, and what its switches say of it.

What a network may be is for supervdsm to say: it is given the engine's words as they came.
"""

from __future__ import annotations

import re
from typing import cast

import msgspec

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services

# libvirt's name of a PCI device: domain, bus, device, function.
_PCI_DEVICE = re.compile(r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])")


class HostNetwork:
    """The verbs of Host that belong to supervdsm's network room."""

    def __init__(self, services: Services) -> None:
        self._network = services.supervdsm.network

    def table(self) -> dict[str, Handler]:
        """The verbs that read."""
        return {"Host.getLldp": self.get_lldp}

    def change_table(self) -> dict[str, Handler]:
        """The verbs that change the network: one at a time, others are refused with code 40."""
        return {
            "Host.hostdevChangeNumvfs": self.change_numvfs,
            "Host.setSafeNetworkConfig": self.set_safe_network_config,
            "Host.setupNetworks": self.setup_networks,
        }

    def setup_networks(self, _call: Call, params: Params) -> JSON:
        """Changes networks and bonds, all or nothing; waits until a client confirms it.

        Codes: 10 nobody confirmed, 21 to 31 the request is wrong, 40 another change runs, 78 a
        hook failed, -32603 the kernel did not do it.
        """
        self._network.setup_networks(
            *(_object(params, name) for name in ("networks", "bondings", "options"))
        )
        return None

    def set_safe_network_config(self, _call: Call, _params: Params) -> JSON:
        """Lets the running networks be those that a boot restores."""
        self._network.set_safe_network_config()
        return None

    def change_numvfs(self, _call: Call, params: Params) -> JSON:
        """Gives an SR-IOV NIC so many virtual functions. -32602 for a name that libvirt has not."""
        name = cast("str", params["deviceName"])
        address = _PCI_DEVICE.fullmatch(name)
        if not address:
            raise VdsmError(
                Code.INVALID_PARAMS, "deviceName: expected a PCI device, such as pci_0000_03_00_0"
            )
        domain, bus, device, function = address.groups()
        self._network.change_numvfs(
            f"{domain}:{bus}:{device}.{function}", cast("int", params["numvfs"])
        )
        return None

    def get_lldp(self, _call: Call, params: Params) -> JSON:
        """What the NICs heard by LLDP, by their names; of all NICs when the filter names none."""
        wanted = cast("dict[str, list[str]]", params["filter"])
        info = self._network.get_lldp_info(wanted.get("devices", []))
        nics: dict[str, JSON] = msgspec.to_builtins(info.nics)
        return nics


def _object(params: Params, name: str) -> dict[str, object]:
    """A parameter as supervdsm takes it. Raises VdsmError -32602 when it is no JSON object."""
    value = params[name]
    if not isinstance(value, dict):
        raise VdsmError(Code.INVALID_PARAMS, f"{name}: expected an object")
    return dict(value)
