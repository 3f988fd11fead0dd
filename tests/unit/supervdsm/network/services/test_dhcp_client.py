# SPDX-License-Identifier: GPL-2.0-or-later
"""dhcpcd.conf for each wish."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.plan.state import Dhcp
from supervdsm.network.services.dhcp_client import configuration
from supervdsm.network.services.wishes import Wish

HOOK = Path("/opt/venv/bin/vdsm-dhcp-hook")


def lines(*, ipv4: bool, ipv6: bool, default_route: bool) -> list[str]:
    wish = Wish("nic0", Dhcp(ipv4, ipv6, default_route))
    return configuration(wish, HOOK, "/run/notify/notify.sock").splitlines()


def test_ipv4_of_the_default_route_network() -> None:
    assert lines(ipv4=True, ipv6=False, default_route=True) == [
        "script /opt/venv/bin/vdsm-dhcp-hook",
        "env NOTIFY_SOCKET=/run/notify/notify.sock",
        "persistent",
        "timeout 0",
        "lastlease",
        "nodelay",
        "hostname",
        "vendorclassid",
        "nodev",
        "clientid",
        "noarp",
        "noipv4ll",
        "require dhcp_server_identifier",
        "ipv4only",
        "option routers, classless_static_routes, domain_name_servers",
        "option dhcp6_name_servers",
    ]


def test_another_network_sets_no_default_route_and_learns_no_name_servers() -> None:
    found = lines(ipv4=True, ipv6=False, default_route=False)
    assert "nogateway" in found
    assert not any("name_servers" in line for line in found)
    assert [line for line in found if line.startswith("option ")] == ["option routers"]


def test_ipv6_leaves_router_advertisements_to_the_kernel() -> None:
    found = lines(ipv4=False, ipv6=True, default_route=True)
    assert {"ipv6only", "noipv6rs", "ia_na"} <= set(found)
    assert "ipv4only" not in found


@given(st.booleans(), st.booleans(), st.booleans())
def test_no_script_of_the_distribution_is_ever_run(ipv4: bool, ipv6: bool, main: bool) -> None:
    found = lines(ipv4=ipv4, ipv6=ipv6, default_route=main)
    assert found[0] == f"script {HOOK}"
    assert "persistent" in found


@pytest.mark.skipif(not shutil.which("dhcpcd"), reason="containers/setup installs dhcpcd")
@pytest.mark.parametrize("ipv4", [True, False])
@pytest.mark.parametrize("default_route", [True, False])
def test_dhcpcd_knows_every_word(tmp_path: Path, ipv4: bool, default_route: bool) -> None:
    path = tmp_path / "dhcpcd.conf"
    wish = Wish("nic0", Dhcp(ipv4, not ipv4, default_route))
    path.write_text(configuration(wish, Path("/bin/true")))
    done = subprocess.run(
        ["dhcpcd", "--config", str(path), "--variables"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin"},
    )
    assert "unknown option" not in done.stderr
