# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to supervdsm of plain bytes, for the programs beside this one."""

import contextlib
import json
import socket

PREFIX = "org.ovirt.supervdsm."
PATIENCE = 60.0


class Ended(Exception):
    """The other side closed; carries the names of the errors that it told."""


class Connection:
    """Says Hello with `contract`, if there is one."""

    def __init__(self, path, contract=None):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path)
        self._buffer = b""
        if contract is not None:
            self.call("service.Hello", contract=contract)

    def call(self, verb, **parameters):
        """Return the short name of the error, or "ok", and the parameters of the answer."""
        call = {"method": PREFIX + verb, "parameters": parameters}
        with contextlib.suppress(BrokenPipeError):
            self.sock.sendall(json.dumps(call).encode() + b"\0")
        return self.answer()

    def answer(self):
        """Read the next answer."""
        while b"\0" not in self._buffer:
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise Ended
            self._buffer += data
        text, _, self._buffer = self._buffer.partition(b"\0")
        answer = json.loads(text)
        return answer.get("error", "ok").rpartition(".")[2], answer.get("parameters", {})

    def close(self):
        self.sock.close()
