# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether vdsm speaks TLS is read from the same files, in the same order, as vdsm reads them; and a
call to whoever is on its port ends.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import vdsm
from vdsm_tool.state.vdsm import uses_tls


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "etc/vdsm/vdsm.conf.d").mkdir(parents=True)
    return Host(tmp_path, Path("/proc"), lambda _command: "")


def test_tls_is_the_default(host: Host) -> None:
    assert uses_tls(host)


def test_the_file_turns_it_off(host: Host) -> None:
    host.path("/etc/vdsm/vdsm.conf").write_text("[vars]\nssl = false\n")
    assert not uses_tls(host)


def test_a_drop_in_has_the_last_word(host: Host) -> None:
    host.path("/etc/vdsm/vdsm.conf").write_text("[vars]\nssl = false\n")
    host.path("/etc/vdsm/vdsm.conf.d/10.conf").write_text("[vars]\nssl = true\n")
    assert uses_tls(host)


@pytest.mark.parametrize("text", ["[vars]\nssl = maybe\n", "ssl = true\n"])
def test_a_file_that_vdsm_refuses_is_an_error(host: Host, text: str) -> None:
    host.path("/etc/vdsm/vdsm.conf").write_text(text)
    with pytest.raises(ToolError, match="configuration"):
        uses_tls(host)


@contextmanager
def serving(*answers: bytes, pause: float = 0) -> Iterator[int]:
    """Answer a connection piece by piece, with a pause before each; yield the port."""
    with socket.create_server(("localhost", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                for answer in answers:
                    time.sleep(pause)
                    try:
                        connection.sendall(answer)
                    except OSError:
                        return  # the caller has gone
                connection.recv(1 << 16)
                time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def call(port: int, timeout: float = 5) -> object:
    files = PkiFiles(Path("/nonexistent"))
    params = {"message": "x"}
    return vdsm.call("Host.echo", params, files=files, tls=False, port=port, timeout=timeout)


CONNECTED = b"CONNECTED\nversion:1.2\n\n\0"


def test_the_result_of_a_call_is_returned() -> None:
    message = b'MESSAGE\ndestination:x\n\n{"jsonrpc": "2.0", "id": "1", "result": "x"}\0'
    with serving(CONNECTED, message[:30], message[30:], pause=0.05) as port:
        assert call(port) == "x"


def test_a_failed_call_says_why() -> None:
    error = b'{"jsonrpc": "2.0", "id": "1", "error": {"code": 40, "message": "No supervdsm"}}'
    with (
        serving(CONNECTED, b"MESSAGE\n\n" + error + b"\0") as port,
        pytest.raises(vdsm.CallFailed, match=r"^No supervdsm \(code 40\)$"),
    ):
        call(port)


def test_a_call_to_a_silent_vdsm_ends() -> None:
    begin = time.monotonic()
    with serving(pause=1) as port, pytest.raises(TimeoutError):
        call(port, timeout=0.2)
    assert time.monotonic() - begin < 3


def test_a_call_to_a_vdsm_that_never_comes_to_an_end_ends() -> None:
    begin = time.monotonic()
    with serving(CONNECTED, *[b"\n"] * 20, pause=0.1) as port, pytest.raises(TimeoutError):
        call(port, timeout=0.5)
    assert time.monotonic() - begin < 5
