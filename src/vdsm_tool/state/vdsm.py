# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether vdsm answers: calls the way the engine makes them, TLS, STOMP 1.2, JSON-RPC 2.0.

The question is Host.echo: an engine's ping would confirm a network change that waits for the
engine. Only the few frames of one call are spoken here. The name in the certificate is not
compared: an engine's certificate names the host as the engine reaches it, and this call goes to
loopback.
"""

import json
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from vdsm_contract import config
from vdsm_contract.paths import MANAGEMENT_PORT
from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Finding, fail, ok
from vdsm_tool.host import Host
from vdsm_tool.pki.files import PkiFiles

_NAME: Final = "vdsm"
_TIMEOUT: Final = 10.0
"""Seconds that the whole call may take."""
_REQUESTS: Final = "jms.topic.vdsm_requests"
_REPLIES: Final = "vdsm-tool"


class Answer(Struct, frozen=True, rename="camel"):
    """How vdsm answered: `seconds` from the connect to the answer; `tls` is empty without TLS."""

    port: int
    tls: str
    seconds: float


class CallFailed(ValueError):
    """vdsm answered that the call failed."""


def uses_tls(host: Host) -> bool:
    """Return `[vars] ssl` of the host's vdsm.conf and its drop-ins; true when it is not set.

    Raises ToolError when a file cannot be understood; vdsm does not start with such a file.
    """
    try:
        return config.load(root=host.root).config.ssl
    except config.ConfigError as error:
        sentence = f"vdsm's configuration: {error.problems[0]}"
        hint = "Correct it (`vdsm-tool config --check`), then `systemctl restart vdsm`."
        raise ToolError(sentence, hint) from error


def ask(
    *, files: PkiFiles, tls: bool, port: int = MANAGEMENT_PORT
) -> tuple[Answer | None, Finding]:
    """Call Host.echo on this host; return how it was answered (None: not at all) and a finding."""
    start = time.monotonic()
    message = os.urandom(8).hex()
    try:
        with _connected(files, tls=tls, port=port, timeout=_TIMEOUT) as stream:
            version = stream.version() or "" if isinstance(stream, ssl.SSLSocket) else ""
            answered = _call(stream, "Host.echo", {"message": message}, start + _TIMEOUT)
        if answered != message:
            raise ValueError(f"Host.echo of {message} gave {answered!r}")
    except (OSError, ValueError) as error:
        return None, judge(error, files=files, port=port)
    answer = Answer(port, version, round(time.monotonic() - start, 4))
    how = version or "plain TCP"
    milliseconds = answer.seconds * 1000
    return answer, ok(_NAME, f"answered on port {port} over {how} in {milliseconds:.0f} ms")


def call(
    method: str,
    params: Mapping[str, object],
    *,
    files: PkiFiles,
    tls: bool,
    port: int = MANAGEMENT_PORT,
    timeout: float = _TIMEOUT,
) -> object:
    """Make a call on this host, within about `timeout` seconds; return its result.

    Raises OSError, or ValueError for an answer that is no result; `judge` explains them.
    """
    deadline = time.monotonic() + timeout
    with _connected(files, tls=tls, port=port, timeout=timeout) as stream:
        return _call(stream, method, params, deadline)


def judge(error: OSError | ValueError, *, files: PkiFiles, port: int = MANAGEMENT_PORT) -> Finding:
    """Return why there was no good answer, and what to do."""
    what = "an error" if isinstance(error, CallFailed) else "no answer"
    return fail(_NAME, f"{what} on port {port}: {_reason(error)}", _way_out(error, files))


def _reason(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is refused: {error.verify_message}"
        case OSError(strerror=str(text)):
            return f"{error.filename}: {text}" if error.filename else text
        case _:
            return str(error)


def _way_out(error: Exception, files: PkiFiles) -> str:
    match error:
        case FileNotFoundError():
            return "`vdsm-tool pki init`, or let the engine enroll the certificate."
        case ssl.SSLCertVerificationError():
            return (
                f"{files.certificate} must be signed by {files.ca_certificate}; "
                "vdsm shows renewed files after `podman kill --signal=HUP vdsm`."
            )
        case ConnectionRefusedError():
            return "`systemctl start vdsm.socket`."
        case _:
            return "`journalctl --boot --unit=vdsm.service --lines=50`."


@contextmanager
def _connected(files: PkiFiles, *, tls: bool, port: int, timeout: float) -> Iterator[socket.socket]:
    # The files first: what is missing there is a better message than a failed handshake.
    context = _context(files) if tls else None
    with socket.create_connection(("localhost", port), timeout=timeout) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain) as secured:
                yield secured


def _context(files: PkiFiles) -> ssl.SSLContext:
    for path in (files.ca_certificate, files.certificate, files.key):
        path.open("rb").close()  # ssl's own error does not say which file it is
    context = ssl.create_default_context(cafile=files.ca_certificate)
    context.check_hostname = False
    context.load_cert_chain(files.certificate, files.key)
    return context


def _call(
    stream: socket.socket, method: str, params: Mapping[str, object], deadline: float
) -> object:
    """Make the call; raises OSError or ValueError when there is no result by `deadline`."""
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": "1"})
    frames = (
        _frame("CONNECT", {"accept-version": "1.2", "host": "localhost", "heart-beat": "0,0"})
        + _frame("SUBSCRIBE", {"id": "1", "destination": _REPLIES, "ack": "auto"})
        + _frame("SEND", {"destination": _REQUESTS, "reply-to": _REPLIES}, body)
    )
    stream.sendall(frames)
    received = b""
    while True:
        *complete, received = (received + _receive(stream, deadline)).split(b"\0")
        for frame in complete:
            head, _, content = frame.lstrip(b"\r\n").partition(b"\n\n")
            match head.split(b"\n")[0].rstrip(b"\r"):
                case b"MESSAGE":
                    return _result(content)
                case b"ERROR":
                    raise ValueError(f"STOMP error: {content.decode(errors='replace').strip()}")


def _receive(stream: socket.socket, deadline: float) -> bytes:
    stream.settimeout(max(deadline - time.monotonic(), 0.001))
    data = stream.recv(65536)
    if not data:
        raise ConnectionResetError("vdsm closed the connection")
    return data


def _result(content: bytes) -> object:
    answer = json.loads(content)
    match answer:
        case {"error": {"code": int(code), "message": str(message)}}:
            raise CallFailed(f"{message} (code {code})")
    if not isinstance(answer, dict) or "result" not in answer:
        raise ValueError(f"not a JSON-RPC result: {content[:200].decode(errors='replace')}")
    return answer["result"]


def _frame(command: str, headers: dict[str, str], body: str = "") -> bytes:
    lines = [command, *(f"{name}:{value}" for name, value in headers.items())]
    return ("\n".join(lines) + "\n\n" + body + "\0").encode()
