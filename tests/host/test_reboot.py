# SPDX-License-Identifier: GPL-2.0-or-later
"""Flow 7 of the map: the host itself goes away, in order or not, and the pair is back by itself."""

import pytest

from machines import SERVES, Machine


@pytest.mark.parametrize("how", ["reboot", "power-cut"])
def test_7_the_pair_is_back_after(host: Machine, how: str) -> None:
    before = host.sh("cat /etc/pki/vdsm/certs/vdsmcert.pem")
    old = {unit: host.show(f"{unit}.service", "InvocationID") for unit in ("vdsm", "supervdsm")}
    if how == "power-cut":
        host.tool_run("power-cut", host.name)
        host.tool_run("boot", host.name)
    else:
        host.tool_run("reboot", host.name)
    host.wait(SERVES)
    new = {unit: host.show(f"{unit}.service", "InvocationID") for unit in ("vdsm", "supervdsm")}
    assert not set(old.values()) & set(new.values())
    assert host.client("Host", "echo", "message=back") == "back"
    assert host.client("Host", "getNetworkCapabilities")["nics"]["eth0"]["addr"] == "192.0.2.2"
    assert host.sh("cat /etc/pki/vdsm/certs/vdsmcert.pem") == before
    names = set(host.sh("podman ps --all --format '{{.Names}}'").split())
    assert names - {"vdsm-sanlock", "vdsm-wdmd"} == {"supervdsm", "vdsm", "vdsm-lldpd"}
