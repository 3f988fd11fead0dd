# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients beside the host, on its network side: stomp.py, and those that may not come in."""

import json
import sys
from pathlib import Path

import pytest

from front import pki as authority
from machines import Machine

STOMP_CLIENT = str(Path(__file__).with_name("stomp_client.py"))
TLS_CLIENT = str(Path(__file__).with_name("tls_client.py"))
ADDRESS = "192.0.2.2"


@pytest.fixture
def pki(host: Machine, tmp_path: Path) -> Path:
    """The host's certificates, as an engine that enrolled it would hold them."""
    host.copy_out("/etc/pki/vdsm", tmp_path / "pki")
    return tmp_path / "pki"


def beside(host: Machine, *argv: str) -> str:
    """Run a program of this machine on the test host's network; return its output."""
    return host.tool_run("exec", "--peer", host.name, "--", *argv, timeout=120).stdout


def test_stomp_py_over_tls(host: Machine, pki: Path) -> None:
    methods = ["Host.ping2", "Host.getNetworkCapabilities", "VM.create", "Host.noSuchVerb"]
    out = beside(host, sys.executable, STOMP_CLIENT, ADDRESS, "54321", str(pki), *methods)
    ping, caps, create, unknown, batch = json.loads(out)
    assert ping["result"] is True
    assert caps["result"]["nics"]["eth0"]["addr"] == ADDRESS
    assert create["error"]["code"] == 44
    assert unknown["error"]["code"] == -32601
    assert sorted(answer["id"] for answer in batch) == ["a", "b"]


def test_last_client_iface_is_the_nic_that_the_client_came_by(host: Machine, pki: Path) -> None:
    method = "Host.getCapabilities"
    out = beside(host, sys.executable, STOMP_CLIENT, ADDRESS, "54321", str(pki), method)
    assert json.loads(out)[0]["result"]["lastClientIface"] == "eth0"


@pytest.mark.parametrize("who", ["engine", "foreign", "nobody"])
def test_only_a_certificate_of_the_host_s_authority_opens_the_door(
    host: Machine, pki: Path, tmp_path: Path, who: str
) -> None:
    authority.make(tmp_path / "foreign", name="Another CA")
    identity = {"engine": pki, "foreign": tmp_path / "foreign"}.get(who)
    words = [sys.executable, TLS_CLIENT, ADDRESS, "54321", str(pki / "certs/cacert.pem")]
    if identity:
        words += [str(identity / "certs/vdsmcert.pem"), str(identity / "keys/vdsmkey.pem")]
    out = beside(host, *words)
    assert out.strip() == "CONNECTED" if who == "engine" else out.startswith(("refused", "closed"))
    assert host.client("Host", "echo", "message=others") == "others"


def test_garbage_hurts_nobody(host: Machine) -> None:
    garbage = (
        "import os, socket\n"
        "for n in range(50):\n"
        f"    s = socket.create_connection(({ADDRESS!r}, 54321), timeout=60)\n"
        "    s.sendall(os.urandom(2000))\n"
        "    s.close()\n"
    )
    beside(host, sys.executable, "-c", garbage)
    assert host.client("Host", "echo", "message=others") == "others"
    assert int(host.show("vdsm.service", "NRestarts")) >= 0
    assert host.show("vdsm.service", "ActiveState") == "active"
