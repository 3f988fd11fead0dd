# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP clients against a real server (dnsmasq); `ip` is the oracle."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from process.supervdsm.network.dhcp_site import Site, site
from process.supervdsm.network.namespace import run
from supervdsm.network.plan.state import Dhcp, source_table
from vdsm_contract.errors import ServiceFailed

MAIN = Dhcp(ipv4=True, ipv6=False, default_route=True)
OTHER = Dhcp(ipv4=True, ipv6=False, default_route=False)
OTHER6 = Dhcp(ipv4=True, ipv6=True, default_route=False)
V6 = Dhcp(ipv4=False, ipv6=True, default_route=True)
BOTH = Dhcp(ipv4=True, ipv6=True, default_route=True)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.skipif(
        not (shutil.which("dhcpcd") and shutil.which("dnsmasq")),
        reason="dhcpcd or dnsmasq is missing: containers/setup installs them",
    ),
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as built:
        yield built


def start(lab: Site, device: str, dhcp: Dhcp) -> None:
    lab.call(lab.clients.start, device, dhcp)


def bound(lab: Site, device: str, dhcp: Dhcp) -> None:
    """Start a client and wait for its lease."""
    start(lab, device, dhcp)
    lab.wait(lambda: lab.clients.bound(device))


def gateways(lab: Site, table: str = "main") -> list[tuple[str, str]]:
    """Return device and gateway of the IPv4 default routes of a table."""
    routes = lab.host.ip_json("-4 route show table all default")
    return [
        (route["dev"], route["gateway"]) for route in routes if route.get("table", "main") == table
    ]


def rules(lab: Site) -> list[str]:
    return [line.strip() for line in lab.host.ip("rule").splitlines() if line.startswith("3200:")]


# --- what leases bring ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both clients have their leases; nic0's is the default route's network."""
    with site(tmp_path_factory.mktemp("served") / "site") as built:
        bound(built, "nic0", BOTH)
        bound(built, "nic1", OTHER6)
        yield built


def test_the_default_route_network_gets_the_default_route(served: Site) -> None:
    (address,) = served.addresses("nic0")
    assert address.startswith("192.0.2.")
    assert address.endswith("/24")
    assert gateways(served) == [("nic0", "192.0.2.1")]


def test_another_network_gets_source_routes(served: Site) -> None:
    (address,) = served.addresses("nic1")
    table = str(source_table("nic1"))
    assert gateways(served, table) == [("nic1", "198.51.100.1")]
    assert sorted(rules(served)) == sorted(
        [
            f"3200:\tfrom all to 198.51.100.0/24 lookup {table} proto static",
            f"3200:\tfrom 198.51.100.0/24 lookup {table} proto static",
        ]
    )
    (way,) = served.host.ip_json(f"route get 203.0.113.9 from {address.partition('/')[0]}")
    assert (way["dev"], way["gateway"]) == ("nic1", "198.51.100.1")


def test_only_the_default_route_network_takes_classless_routes(served: Site) -> None:
    (route,) = served.host.ip_json("-4 route show 203.0.113.0/24")
    assert (route["dev"], route["gateway"]) == ("nic0", "192.0.2.99")


def test_only_the_default_route_network_is_told_name_servers(served: Site) -> None:
    assert served.leases.read("nic0").nameservers == ("192.0.2.53", "2001:db8::53")
    assert served.leases.read("nic1").nameservers == ()


def test_dhcpv6_gives_an_address_and_the_kernel_the_routes(served: Site) -> None:
    (address,) = served.addresses("nic0", 6)
    assert address.startswith("2001:db8::1")
    assert address.endswith("/128")
    served.wait(lambda: "proto ra" in served.host.ip("-6 route show default dev nic0"))


def test_slaac_stays_the_kernel_s(served: Site) -> None:
    served.wait(lambda: len(served.addresses("nic1", 6)) == 2)
    assert {one.rpartition("/")[2] for one in served.addresses("nic1", 6)} == {"128", "64"}


def test_the_identity_is_the_host_s_for_all_clients(served: Site) -> None:
    duid = (served.launcher.directory / "state/duid").read_text().strip()
    assert duid.startswith("00:04:")
    assert len(duid.split(":")) == 18
    assert served.launcher.log().count(f"DUID {duid}") == 2


def test_a_server_that_reserves_by_hardware_address_knows_the_client(served: Site) -> None:
    (link,) = served.host.ip_json("link show nic0")
    leases = (served.launcher.directory / "dnsmasq.leases").read_text()
    assert f"01:{link['address']}" in leases


# --- what clients live through --------------------------------------------------------------------


def test_two_clients_do_not_touch_each_other(lab: Site) -> None:
    bound(lab, "nic0", MAIN)
    bound(lab, "nic1", OTHER)
    before = lab.host.ip("-4 route show table all dev nic0")
    lab.call(lab.clients.stop, "nic1")
    assert lab.host.ip("-4 route show table all dev nic0") == before
    assert lab.clients.running() == {"nic0": MAIN}


def test_a_lease_is_given_back_at_the_stop(lab: Site) -> None:
    bound(lab, "nic1", OTHER)
    lab.call(lab.clients.stop, "nic1")
    assert lab.addresses("nic1") == []
    assert rules(lab) == []
    assert lab.host.ip("-4 route show table all dev nic1").strip() == ""
    lab.wait(lambda: lab.said("DHCPRELEASE") == 1)
    assert lab.clients.running() == {}
    assert not any(lab.leases.directory.iterdir())
    assert not any(lab.wishes.directory.iterdir())


def test_a_stop_without_a_client_is_no_error(lab: Site) -> None:
    lab.call(lab.clients.stop, "nic0")
    lab.call(lab.clients.stop, "gone0")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_addresses_routes_and_rules_survive_the_client(lab: Site, number: int) -> None:
    bound(lab, "nic1", OTHER)
    (address,) = lab.addresses("nic1")
    ways, ruled = lab.host.ip("-4 route show table all dev nic1"), rules(lab)
    lab.launcher.clients["nic1"].end(number)
    assert lab.addresses("nic1") == [address]
    assert lab.host.ip("-4 route show table all dev nic1") == ways
    assert rules(lab) == ruled
    assert lab.clients.running() == {}
    # What systemd does then.
    lab.call(lab.launcher.restart, "nic1")
    lab.wait(lambda: lab.said("DHCPREQUEST") == 2)
    lab.wait(lambda: lab.said("DHCPACK") == 2)
    assert lab.addresses("nic1") == [address]
    assert lab.said("DHCPDISCOVER") == 1
    assert rules(lab) == ruled


def test_a_client_with_the_same_wish_stays(lab: Site) -> None:
    bound(lab, "nic0", MAIN)
    client = lab.launcher.clients["nic0"]
    start(lab, "nic0", MAIN)
    assert lab.launcher.clients["nic0"] is client


def test_the_default_route_moves_with_the_wish(lab: Site) -> None:
    bound(lab, "nic0", MAIN)
    start(lab, "nic0", OTHER)
    lab.wait(lambda: gateways(lab) == [])
    assert gateways(lab, str(source_table("nic0"))) == [("nic0", "192.0.2.1")]
    assert len(rules(lab)) == 2
    start(lab, "nic0", MAIN)
    lab.wait(lambda: rules(lab) == [])
    assert gateways(lab) == [("nic0", "192.0.2.1")]


def test_a_lease_is_renewed(lab: Site) -> None:
    bound(lab, "nic0", MAIN)
    lab.wait(lambda: lab.said("DHCPACK") == 1)

    def renew() -> bool:
        # Again and again: dhcpcd 9 forgets a signal that comes while its hook runs.
        lab.launcher.clients["nic0"].kill(signal.SIGUSR1)
        return lab.said("DHCPACK") >= 2

    lab.wait(renew)
    assert len(lab.addresses("nic0")) == 1


def test_a_lease_that_another_server_refuses_is_replaced(lab: Site) -> None:
    bound(lab, "nic0", MAIN)
    lab.call(lab.clients.stop, "nic0")
    # As after a move: the lease is of another subnet, and a rebind is refused.
    bound(lab, "nic1", OTHER)
    lease = lab.launcher.directory / "state/nic1.lease"
    lab.launcher.stop("nic1")
    shutil.copy(lease, lab.launcher.directory / "state/nic0.lease")
    bound(lab, "nic0", MAIN)
    lab.wait(lambda: lab.said("DHCPNAK") >= 1)
    lab.wait(lambda: any(one.startswith("192.0.2.") for one in lab.addresses("nic0")))


def test_after_dhcpv6_the_kernel_makes_link_local_addresses_again(lab: Site) -> None:
    bound(lab, "nic0", V6)
    lab.call(lab.clients.stop, "nic0")
    assert lab.addresses("nic0", 6) == []
    lab.host.batch("link set nic0 down", "link set nic0 up")
    lab.wait(lambda: "fe80:" in lab.host.ip("-6 addr show dev nic0 scope link"))


def test_a_client_waits_for_a_cable(lab: Site) -> None:
    run("ip", "-n", lab.server, "link", "set", "far0", "down")
    start(lab, "nic0", MAIN)
    assert not lab.clients.bound("nic0")
    run("ip", "-n", lab.server, "link", "set", "far0", "up")
    lab.wait(lambda: lab.clients.bound("nic0"))


def test_a_missing_device_is_a_typed_error(lab: Site) -> None:
    with pytest.raises(ServiceFailed, match="interface not found"):
        start(lab, "gone0", MAIN)
    assert lab.clients.running() == {}
    assert not any(lab.wishes.directory.iterdir())


def test_a_client_that_should_have_ended_asks_for_nothing(lab: Site) -> None:
    bound(lab, "nic0", MAIN)
    # supervdsm was killed between the two halves of a stop.
    lab.wishes.leave("nic0")
    assert lab.clients.running() == {"nic0": Dhcp(ipv4=False, ipv6=False, default_route=False)}
    lab.call(lab.clients.stop, "nic0")
    assert lab.clients.running() == {}
    assert lab.addresses("nic0") == []


def test_a_lease_that_has_not_expired_is_used_while_the_server_is_away(lab: Site) -> None:
    bound(lab, "nic1", OTHER)
    (address,) = lab.addresses("nic1")
    lab.launcher.clients["nic1"].end(signal.SIGKILL)
    # As after a boot: the kernel has nothing, and the leases say nothing.
    gone = ["rule del priority 3200"] * 2
    lab.host.batch("addr flush dev nic1", *gone)
    lab.leases.forget("nic1")
    for pid in run("ip", "netns", "pids", lab.server).split():
        os.kill(int(pid), signal.SIGSTOP)
    lab.call(lab.launcher.restart, "nic1")
    lab.wait(lambda: lab.clients.bound("nic1"))
    assert lab.addresses("nic1") == [address]
    assert len(rules(lab)) == 2
