# SPDX-License-Identifier: GPL-2.0-or-later
"""Host bus adapters: Fibre Channel ports from sysfs, and the iSCSI initiator's name."""

from __future__ import annotations

import re

from vdsm.host.tree import HostTree
from vdsm.jsonrpc.errors import JSON

_FC_HOSTS = "/sys/class/fc_host"
_SCSI_HOSTS = "/sys/class/scsi_host"
_INITIATOR = "/etc/iscsi/initiatorname.iscsi"

# Drivers spell these two files differently.
_MODEL_NAMES = ("model_name", "modelname")
_MODEL_DESCRIPTIONS = ("model_desc", "modeldesc")


def initiator_name(tree: HostTree) -> str:
    """The iSCSI qualified name of this host; empty when it has none or vdsm cannot see it."""
    match = re.search(r"^\s*InitiatorName\s*=\s*(\S+)", tree.text_or(_INITIATOR, ""), re.MULTILINE)
    return match[1] if match else ""


def inventory(tree: HostTree) -> dict[str, JSON]:
    """oVirt's HbaInventory."""
    ports: list[JSON] = [_port(tree, entry.name) for entry in tree.entries(_FC_HOSTS)]
    return {"iSCSI": [{"InitiatorName": initiator_name(tree)}], "FC": ports}


def _port(tree: HostTree, host: str) -> dict[str, JSON]:
    def name(file: str) -> str:
        return tree.text_or(f"{_FC_HOSTS}/{host}/{file}", "").removeprefix("0x")

    def first(files: tuple[str, ...]) -> str:
        texts = (tree.text_or(f"{_SCSI_HOSTS}/{host}/{file}", "") for file in files)
        return next(filter(None, texts), "")

    model = " - ".join(filter(None, (first(_MODEL_NAMES), first(_MODEL_DESCRIPTIONS))))
    return {"model": model, "wwnn": name("node_name"), "wwpn": name("port_name")}
