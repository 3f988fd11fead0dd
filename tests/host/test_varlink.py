# SPDX-License-Identifier: GPL-2.0-or-later
"""`varlinkctl` of Debian as a client of supervdsm: the wire and the interface text are standard."""

import json
from typing import Any

import pytest

from machines import Machine
from vdsm_contract.interfaces import ALL
from vdsm_contract.paths import SUPERVDSM_SOCKET
from vdsm_contract.version import CONTRACT_VERSION

SOCKET = str(SUPERVDSM_SOCKET)
INTERFACES = [interface.INTERFACE for interface in ALL]


def call(host: Machine, method: str, parameters: str = "{}") -> Any:
    done = host.run("varlinkctl", "-j", "call", SOCKET, f"org.ovirt.supervdsm.{method}", parameters)
    return json.loads(done.stdout)


def test_it_says_what_it_is(host: Machine) -> None:
    info = json.loads(host.run("varlinkctl", "-j", "info", SOCKET).stdout)
    assert info["product"] == "supervdsm"
    assert set(INTERFACES) <= set(info["interfaces"])


@pytest.mark.parametrize("interface", [*INTERFACES, "org.varlink.service"])
def test_every_interface_is_valid(host: Machine, interface: str) -> None:
    host.sh(f"varlinkctl introspect {SOCKET} {interface} > /tmp/{interface}.varlink")
    host.run("varlinkctl", "validate-idl", f"/tmp/{interface}.varlink")


def test_root_calls_verbs_without_hello(host: Machine) -> None:
    assert call(host, "service.Ping") == {}
    assert call(host, "service.Hello", json.dumps({"contract": CONTRACT_VERSION}))["release"]
    assert call(host, "network.NetworkCaps")["nics"]["eth0"]["addr"] == "192.0.2.2"
    assert "MELTDOWN" in call(host, "host.GetCpuVulnerabilities")["vulnerabilities"]


def test_an_error_is_typed(host: Machine) -> None:
    parameters = '{"tuning": {"run": 9}}'
    done = host.run(
        "varlinkctl", "call", SOCKET, "org.ovirt.supervdsm.host.KsmTune", parameters, check=False
    )
    assert done.returncode != 0
    assert "org.ovirt.supervdsm.service.InvalidArgument" in done.stderr
    assert "tuning.run" in done.stdout + done.stderr


def test_an_unknown_method_is_the_standard_s_error(host: Machine) -> None:
    done = host.run(
        "varlinkctl", "call", SOCKET, "org.ovirt.supervdsm.host.Reboot", "{}", check=False
    )
    assert done.returncode != 0
    assert "MethodNotFound" in done.stderr or "not found" in done.stderr.lower()


def test_another_user_of_the_host_is_refused(host: Machine) -> None:
    """Uid 36 in its group may open the socket, and is still not vdsm: its cgroup is another."""
    ping = ["varlinkctl", "call", SOCKET, "org.ovirt.supervdsm.service.Ping", "{}"]
    someone = host.run("setpriv", "--reuid=65534", "--clear-groups", *ping, check=False)
    assert someone.returncode != 0  # the file's mode keeps it out
    fake = host.run("setpriv", "--reuid=36", "--regid=36", "--clear-groups", *ping, check=False)
    assert fake.returncode != 0
    assert "PeerRefused" in fake.stderr
    journal = host.sh("journalctl -u supervdsm.service -o cat --no-pager -n 200")
    assert "refused a connection" in journal
    assert "not in /system.slice/vdsm.service" in journal


def test_a_service_that_calls_itself_vdsm_is_refused(host: Machine) -> None:
    """A unit of that name below another slice is not the one that systemd started for vdsm."""
    call = f"varlinkctl call {SOCKET} org.ovirt.supervdsm.service.Ping {{}}"
    fake = host.run(
        "systemd-run", "--quiet", "--wait", "--pipe", "--slice=user-36-vdsm.service.slice",
        "--uid=36", "--gid=36", "sh", "-c", call, check=False,
    )  # fmt: skip
    assert fake.returncode != 0
    assert "PeerRefused" in fake.stderr + fake.stdout
