# SPDX-License-Identifier: GPL-2.0-or-later
"""pyroute2's parser, as the oracle for requests that we pack ourselves."""

from typing import Any

from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from supervdsm.network.kernel.socket import NLM_F_ACK


def meaning(data: bytes) -> dict[str, Any]:
    """Return what pyroute2's parser makes of one request: type, flags, fields, attributes."""
    (found,) = MarshalRtnl().parse(data)
    plain = found.dump()
    header = plain.pop("header")
    assert header["length"] == len(data)
    attributes = plain.pop("attrs")
    told: dict[str, Any] = plain | {
        "message": header["type"],
        "nlm_flags": header["flags"] & ~NLM_F_ACK,
        "attrs": _tree(attributes),
    }
    return told


def _tree(value: Any) -> Any:
    if isinstance(value, dict) and "attrs" in value:
        value = value["attrs"]
    if isinstance(value, list) and all(isinstance(item, list) for item in value):
        return {name: _tree(item) for name, item in value}
    return value
