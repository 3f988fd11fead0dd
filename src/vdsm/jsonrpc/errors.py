# SPDX-License-Identifier: GPL-2.0-or-later
"""Error numbers that a client of the API may see, and the exceptions that carry them.

JSON-RPC's own numbers are from the JSON-RPC 2.0 specification, section 5.1; the positive ones are
oVirt's, which an engine turns into its own behaviour. Messages are for people and may change.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


class Code(IntEnum):
    """Numbers of errors; the names are oVirt's or JSON-RPC's."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603

    NO_SUCH_VM = 1
    VM_EXISTS = 4
    LOST_CONNECTION = 10
    MISSING_PARAMETER = 11
    UNEXPECTED_ERROR = 16
    BAD_PARAMS = 21
    BAD_ADDR = 22
    BAD_NIC = 23
    USED_NIC = 24
    BAD_BONDING = 25
    BAD_VLAN = 26
    BAD_BRIDGE = 27
    USED_BOND = 31
    RESOURCE_UNAVAILABLE = 40
    METHOD_NOT_IMPLEMENTED = 44
    CANNOT_RETRIEVE_HW_INFO = 57
    KSM_UPDATE_FAILED = 71
    HOOK_FAILED = 78
    RECOVERY_IN_PROGRESS = 99
    GENERAL_EXCEPTION = 100
    STORAGE_SERVER_CONNECTION = 477
    RESOURCE_EXHAUSTED = 1100


MESSAGES: dict[Code, str] = {
    Code.PARSE_ERROR: "The message is not JSON",
    Code.INVALID_REQUEST: "The message is not a JSON-RPC 2.0 request",
    Code.METHOD_NOT_FOUND: "There is no such method",
    Code.INVALID_PARAMS: "A parameter is missing or wrong",
    Code.INTERNAL_ERROR: "The call failed inside vdsm; its journal says why",
    Code.NO_SUCH_VM: "No virtual machine has this id",
    Code.VM_EXISTS: "A virtual machine with this id exists",
    Code.LOST_CONNECTION: "The engine was not heard from after the network change",
    Code.MISSING_PARAMETER: "A parameter that the call needs is missing",
    Code.UNEXPECTED_ERROR: "The call failed in a way nobody foresaw",
    Code.BAD_PARAMS: "The network request is wrong",
    Code.BAD_ADDR: "A network address is wrong",
    Code.BAD_NIC: "There is no such NIC",
    Code.USED_NIC: "The NIC is in use",
    Code.BAD_BONDING: "The bond is wrong",
    Code.BAD_VLAN: "The VLAN is wrong",
    Code.BAD_BRIDGE: "The bridge is wrong",
    Code.USED_BOND: "The bond is in use",
    Code.RESOURCE_UNAVAILABLE: "Something that the call needs is busy",
    Code.METHOD_NOT_IMPLEMENTED: "This vdsm does not implement the method",
    Code.CANNOT_RETRIEVE_HW_INFO: "The hardware information cannot be read",
    Code.KSM_UPDATE_FAILED: "KSM could not be tuned",
    Code.HOOK_FAILED: "A hook failed",
    Code.RECOVERY_IN_PROGRESS: "vdsm is starting and does not take calls yet",
    Code.GENERAL_EXCEPTION: "The call failed",
    Code.STORAGE_SERVER_CONNECTION: "The storage server cannot be connected",
    Code.RESOURCE_EXHAUSTED: "Too many calls are waiting; try again later",
}


class VdsmError(Exception):
    """An error that the caller gets as a JSON-RPC error object.

    `code` is any integer (a `Code`, or one of oVirt's storage codes); without `message` the one of
    MESSAGES is used. `data` becomes the error object's `data` member when it is not None.
    """

    def __init__(self, code: int, message: str | None = None, data: JSON = None) -> None:
        self.code = int(code)
        self.message = message if message is not None else default_message(self.code)
        self.data = data
        super().__init__(self.code, self.message)

    def __str__(self) -> str:
        return f"{self.message} (code {self.code})"

    def to_json(self) -> dict[str, JSON]:
        """The JSON-RPC error object: code, message and, when there is any, data."""
        body: dict[str, JSON] = {"code": self.code, "message": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def default_message(code: int) -> str:
    """The sentence for an error number; a general one when the number has none."""
    try:
        return MESSAGES[Code(code)]
    except (ValueError, KeyError):
        return f"The call failed with code {code}"
