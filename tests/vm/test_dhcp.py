# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP networks through the whole path: an engine asks, a server beyond real NICs answers,
and a reboot brings them back.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from vm.boot import reboot
from vm.site import Site

RED: Final = {
    "bonding": "bond0", "vlan": 100, "bootproto": "dhcp", "dhcpv6": True, "defaultRoute": True,
}  # fmt: skip
BLUE: Final = {"bonding": "bond0", "vlan": 200, "bridged": False, "bootproto": "dhcp"}
BOND: Final = {"bond0": {"nics": ["eth1", "eth2"], "options": "mode=1 miimon=100"}}
LOG: Final = "/run/dhcp-server.log"
SERVER: Final = f"""dnsmasq --port=0 --no-resolv --no-ping --user=root --bind-interfaces
 --interface=v100 --interface=v200 --dhcp-authoritative --enable-ra --log-dhcp --pid-file
 --dhcp-range=10.1.0.10,10.1.0.20,1h --dhcp-range=10.2.0.10,10.2.0.20,1h --dhcp-option=option:T1,10
 --dhcp-range=2001:db8:1::100,2001:db8:1::1ff,64,1h --dhcp-option=option:dns-server,10.1.0.53
 --dhcp-leasefile=/run/dhcp-server.leases --log-facility={LOG}""".replace("\n", "")


def serve(site: Site) -> None:
    """Put a DHCP server and IPv6 router at the other end."""
    site.peer.build()
    site.peer.vlan(100, "10.1.0.1/24", "2001:db8:1::1/64")
    site.peer.vlan(200, "10.2.0.1/24")
    site.peer.run(SERVER)


def leases(site: Site, device: str, version: int = 4) -> list[dict[str, Any]]:
    """A device's addresses that have a lifetime."""
    (found,) = json.loads(site.shell(f"ip -j -{version} addr show dev {device} scope global"))
    return [one for one in found.get("addr_info", ()) if one.get("dynamic")]


def wait_for_leases(site: Site) -> None:
    for name in ("red", "bond0.200"):
        site.shell(
            f"until grep -qs 10\\\\. /run/vdsm/leases/{name}.json; do sleep 0.2; done", timeout=120
        )
    site.shell("until grep -qs 2001: /run/vdsm/leases/red.json; do sleep 0.2; done", timeout=120)
    # The router's advertisement comes when it likes.
    site.shell(
        "until ip -6 route show default dev red | grep -q via; do sleep 0.2; done", timeout=120
    )


@pytest.fixture(scope="module")
def networks(site: Site) -> Iterator[Site]:
    """Two DHCP networks over VLANs of a bond; red has the default route."""
    serve(site)
    resolv_conf = site.shell("cat /etc/resolv.conf")
    site.setup({"red": RED, "blue": BLUE}, BOND)
    wait_for_leases(site)
    yield site
    site.clear()
    site.shell(f"printf '%s' '{resolv_conf}' >/etc/resolv.conf")


def assert_served(site: Site) -> None:
    """Both networks have what the server gave them, and only what is theirs."""
    caps = site.engine.caps()
    red, blue = caps["networks"]["red"], caps["networks"]["blue"]
    assert red["addr"].startswith("10.1.0.")
    assert (red["dhcpv4"], red["dhcpv6"]) == (True, True)
    assert (red["gateway"], red["ipv4defaultroute"]) == ("10.1.0.1", True)
    assert any(one.startswith("2001:db8:1::1") for one in red["ipv6addrs"])
    assert red["ipv6gateway"].startswith("fe80:")
    assert blue["addr"].startswith("10.2.0.")
    assert (blue["dhcpv4"], blue["dhcpv6"]) == (True, False)
    assert (blue["gateway"], blue["ipv4defaultroute"]) == ("10.2.0.1", False)
    assert caps["nameservers"] == ["10.1.0.53"]
    assert site.peer.reaches(red["addr"])
    assert site.peer.reaches(blue["addr"])


def test_leases_come(networks: Site) -> None:
    assert_served(networks)
    rules = networks.shell("ip rule | grep ^3200").splitlines()
    assert sorted(rule.split(" lookup ")[0].split(":\t")[1] for rule in rules) == [
        "from 10.2.0.0/24",
        "from all to 10.2.0.0/24",
    ]


def test_leases_are_renewed_while_supervdsm_is_down(networks: Site) -> None:
    networks.shell("systemctl stop supervdsm.socket supervdsm.service")
    try:
        before = networks.peer.run(f"grep -c DHCPACK {LOG}")
        # The server told them to renew after 10 s.
        networks.shell(
            f"until [ $(grep -c DHCPACK {LOG}) -ge $(({before} + 2)) ]; do sleep 1; done",
            timeout=110,
        )
        for device in ("red", "bond0.200"):
            (address,) = leases(networks, device)
            assert address["valid_life_time"] > 3500
    finally:
        networks.shell("systemctl start supervdsm.socket supervdsm.service")
    assert_served(networks)


def test_a_failover_of_the_bond_takes_no_address_away(networks: Site) -> None:
    before = {device: leases(networks, device)[0]["local"] for device in ("red", "bond0.200")}
    networks.shell("ip link set eth1 down")
    try:
        for address in before.values():
            assert networks.peer.reaches(address)
    finally:
        networks.shell("ip link set eth1 up")
    assert {device: leases(networks, device)[0]["local"] for device in before} == before


def test_a_reboot_brings_the_networks_and_their_leases_back(networks: Site) -> None:
    before = {device: leases(networks, device)[0]["local"] for device in ("red", "bond0.200")}
    assert networks.engine.call("Host.setSafeNetworkConfig") is True
    reboot(networks)
    # Nobody answered at the boot, for the server went down with this very machine: the last leases
    # have not expired, and are used, once the client has asked in vain.
    for device in before:
        networks.shell(
            f"until ip -4 addr show dev {device} | grep -q dynamic; do sleep 0.2; done", timeout=180
        )
    after = {device: leases(networks, device)[0]["local"] for device in before}
    assert after == before
    units = networks.shell("systemctl list-units --plain --no-legend 'vdsm-dhcp@*'")
    assert sorted(line.split()[0] for line in units.splitlines()) == [
        "vdsm-dhcp@bond0.200.service",
        "vdsm-dhcp@red.service",
    ]
    serve(networks)
    wait_for_leases(networks)
    assert_served(networks)
    assert {device: leases(networks, device)[0]["local"] for device in before} == before


def test_a_static_address_takes_the_place_of_the_lease(networks: Site) -> None:
    released = int(networks.peer.run(f"grep -c 'DHCPRELEASE(' {LOG} || true"))
    static = {**BLUE, "bootproto": "none", "ipaddr": "10.2.0.2", "netmask": "255.255.255.0"}
    networks.setup({"blue": static})
    assert leases(networks, "bond0.200") == []
    assert networks.engine.caps()["networks"]["blue"]["ipv4addrs"] == ["10.2.0.2/24"]
    assert int(networks.peer.run(f"grep -c 'DHCPRELEASE(' {LOG}")) == released + 1
    networks.setup({"blue": BLUE})
    wait_for_leases(networks)
    assert_served(networks)


def test_removal_gives_the_leases_back(networks: Site) -> None:
    networks.setup({"red": {"remove": True}, "blue": {"remove": True}}, {"bond0": {"remove": True}})
    assert networks.shell("ls /run/vdsm/dhcp /run/vdsm/leases | grep json || true") == ""
    assert networks.shell("ip rule | grep ^3200 || true") == ""
    assert networks.shell("systemctl list-units --plain --no-legend 'vdsm-dhcp@*'") == ""
    assert int(networks.peer.run(f"grep -c 'DHCPRELEASE(' {LOG}")) >= 3
