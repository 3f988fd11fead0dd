# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.varlink.service`: what every varlink service tells of itself, here to anyone who may
connect.

Source: varlink.org, "Service Introspection". The interface and its error names are the standard's.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from vdsm_contract.declare import Interface
from vdsm_contract.idl import interface_text
from vdsm_contract.version import RELEASE
from vdsm_contract.wire import OutgoingError, OutgoingResponse, Request, encode

STANDARD: Final = "org.varlink.service"
URL: Final = "https://www.ovirt.org/develop/developer-guide/vdsm/supervdsm-service.html"

_MAX_ECHO: Final = 256
"""Characters of a name that a peer sent that an error repeats: it must fit into a message."""

_STANDARD_TEXT: Final = """\
# What every varlink service offers.
interface org.varlink.service

error InterfaceNotFound (interface: string)

error MethodNotFound (method: string)

error MethodNotImplemented (method: string)

error InvalidParameter (parameter: string)

error PermissionDenied ()

error ExpectedMore ()

# Tell what this service is and which interfaces it has.
method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

# Tell the definition of an interface.
method GetInterfaceDescription(interface: string) -> (description: string)
"""


class _Info(msgspec.Struct):
    vendor: str
    product: str
    version: str
    url: str
    interfaces: list[str]


class _Description(msgspec.Struct):
    description: str


class _Which(msgspec.Struct):
    interface: str


class Introspection:
    """Answers the standard's two methods."""

    def __init__(self, rooms: Mapping[str, type[Interface]]) -> None:
        self._texts = {name: interface_text(room) for name, room in rooms.items()}
        self._texts[STANDARD] = _STANDARD_TEXT

    def answer(self, request: Request) -> bytes:
        """Return the answer to a method that no room has: the standard's, or that it is unknown."""
        if request.method == f"{STANDARD}.GetInfo":
            return encode(
                OutgoingResponse(_Info("oVirt", "supervdsm", RELEASE, URL, sorted(self._texts)))
            )
        if request.method == f"{STANDARD}.GetInterfaceDescription":
            return self._describe(request)
        interface = request.method.rpartition(".")[0]
        if interface in self._texts:
            return _error("MethodNotFound", method=request.method)
        return _error("InterfaceNotFound", interface=interface)

    def _describe(self, request: Request) -> bytes:
        try:
            name = msgspec.json.decode(request.parameters, type=_Which).interface
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _error("InvalidParameter", parameter="interface")
        text = self._texts.get(name)
        if text is None:
            return _error("InterfaceNotFound", interface=name)
        return encode(OutgoingResponse(_Description(text)))


def _error(name: str, **fields: str) -> bytes:
    shown = {key: value[:_MAX_ECHO] for key, value in fields.items()}
    return encode(OutgoingError(f"{STANDARD}.{name}", shown))
