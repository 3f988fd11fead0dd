# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm-tool in its container on a real host: it sees the host and tells the truth of the pair."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine
from vdsm_contract.version import CONTRACT_VERSION, RELEASE

PKI = "/etc/pki/vdsm"


def report(host: Machine, command: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status of `status` or `check`, and its JSON."""
    done = host.run("vdsm-tool", command, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def finding(report: dict[str, Any], name: str) -> dict[str, str]:
    (found,) = [each for each in report["findings"] if each["name"] == name]
    return dict(found)


@pytest.fixture(autouse=True)
def running_pair(host: Machine) -> Iterator[None]:
    """Whatever a test stops, runs again after it."""
    host.sh("systemctl start vdsm.target podman.socket")
    yield
    host.sh("systemctl start vdsm.target podman.socket")


def test_a_pair_that_runs_is_well(host: Machine) -> None:
    status, found = report(host, "status")
    assert status == 0, found
    assert {unit["active"] for unit in found["units"]} == {"active"}
    assert {state["name"] for state in found["containers"]} == {"vdsm", "supervdsm"}
    for state in found["containers"]:
        assert (state["version"], state["contract"]) == (RELEASE, CONTRACT_VERSION)
    assert found["supervdsm"]["pid"] == host.pid("supervdsm")
    assert found["vdsm"]["tls"].startswith("TLSv1.")
    addresses = {unit["name"]: unit["listen"] for unit in found["units"]}
    assert addresses["supervdsm.socket"] == ["/run/vdsm/svdsm.sock"]
    assert addresses["vdsm.socket"][0].endswith(":54321")


def test_a_killed_supervdsm_is_counted(host: Machine) -> None:
    before = int(host.show("supervdsm.service", "NRestarts"))
    host.wait_for_restart("supervdsm", host.kill("supervdsm"))
    status, found = report(host, "status")
    assert status == 0
    (unit,) = [each for each in found["units"] if each["name"] == "supervdsm.service"]
    assert unit["restarts"] == before + 1
    assert finding(found, "supervdsm.service")["level"] == "warn"


def test_a_stopped_vdsm_is_a_failure_with_its_way_out(host: Machine) -> None:
    host.sh("systemctl stop vdsm.service vdsm.socket")
    status, found = report(host, "status")
    assert status == 1
    assert finding(found, "vdsm")["level"] == "fail"
    way_out = finding(found, "vdsm.socket")["wayOut"]
    assert "`systemctl start vdsm.socket`" in way_out
    assert finding(found, "supervdsm")["level"] == "ok"


def test_without_podmans_api_the_rest_is_still_told(host: Machine) -> None:
    host.sh("systemctl stop podman.socket podman.service; rm -f /run/podman/podman.sock")
    status, found = report(host, "status")
    assert status == 0
    assert "podman.socket" in finding(found, "contract")["wayOut"]
    assert finding(found, "vdsm")["level"] == "ok"


def test_renewed_certificates_are_shown_after_sighup(host: Machine) -> None:
    host.sh("vdsm-tool pki renew")
    pid = host.pid("vdsm")
    host.sh("podman kill --signal=HUP vdsm")
    show = "import ssl; print(ssl.get_server_certificate(('localhost', 54321)), end='')"  # no check
    host.wait(f'[ "$(/usr/bin/python3 -c "{show}")" = "$(cat {PKI}/certs/vdsmcert.pem)" ]')
    assert host.pid("vdsm") == pid
    assert report(host, "status")[0] == 0


def test_certificates_are_not_replaced_by_mistake(host: Machine) -> None:
    before = host.sh(f"sha256sum {PKI}/certs/*.pem")
    done = host.run("vdsm-tool", "pki", "init", check=False)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert host.sh(f"sha256sum {PKI}/certs/*.pem") == before


def test_the_files_have_ovirts_owners_and_modes(host: Machine) -> None:
    names = "keys/vdsmkey.pem certs/cacert.pem certs/vdsmcert.pem ca ca/cakey.pem"
    found = host.sh(f"cd {PKI} && stat --format '%n %a %u:%g' {names}").splitlines()
    assert found == [
        "keys/vdsmkey.pem 440 36:36",
        "certs/cacert.pem 644 0:0",
        "certs/vdsmcert.pem 644 0:0",
        "ca 700 0:0",
        "ca/cakey.pem 400 0:0",
    ]


def test_the_test_host_is_fit(host: Machine) -> None:
    status, found = report(host, "check")
    assert status == 0, found
    assert finding(found, "systemd")["detail"].endswith("pid 1")
    assert finding(found, "port 54321")["detail"] == "held by systemd"
    assert finding(found, "user vdsm")["level"] == "ok"
    assert finding(found, "mounts")["level"] == "ok"


def test_an_unfit_host_is_told(host: Machine) -> None:
    host.sh("mv /etc/passwd /etc/passwd.kept; sed 's/^vdsm:/other:/' /etc/passwd.kept >/etc/passwd")
    try:
        status, found = report(host, "check")
    finally:
        host.sh("mv /etc/passwd.kept /etc/passwd")
    assert status == 1
    assert finding(found, "user vdsm")["level"] == "fail"
    assert "other" in finding(found, "user vdsm")["wayOut"]
