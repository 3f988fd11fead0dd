# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases: what is taken out of dhcpcd's variables, and out of files that others could write."""

import os
from pathlib import Path

import pytest

from supervdsm.network.services.lease_events import lease4, lease6
from supervdsm.network.services.leases import Lease, Leases, Told, addresses

# As dhcpcd 10.1.0 sets them for its hook.
BOUND = {
    "reason": "BOUND",
    "protocol": "dhcp",
    "interface": "nic0",
    "if_up": "true",
    "new_ip_address": "192.0.2.20",
    "new_subnet_cidr": "24",
    "new_routers": "192.0.2.1 192.0.2.2",
    "new_domain_name_servers": "192.0.2.53 192.0.2.54",
}
BOUND6 = {
    "reason": "BOUND6",
    "protocol": "dhcp6",
    "interface": "nic0",
    "if_up": "true",
    "new_dhcp6_ia_na1_ia_addr1": "2001:db8::179",
    "new_dhcp6_name_servers": "2001:db8::53",
}
TOLD = Told(
    ipv4=Lease("192.0.2.20/24", "192.0.2.1", ("192.0.2.53", "192.0.2.54")),
    ipv6=Lease("2001:db8::179/128", "", ("2001:db8::53",)),
)


def test_both_versions_of_a_lease() -> None:
    assert Told(ipv4=lease4(BOUND), ipv6=lease6(BOUND6)) == TOLD
    assert TOLD.nameservers == ("192.0.2.53", "192.0.2.54", "2001:db8::53")


def test_a_lease_without_a_gateway_and_name_servers() -> None:
    told = {"new_ip_address": "192.0.2.20", "new_subnet_cidr": "24"}
    assert lease4(told) == Lease("192.0.2.20/24")
    assert lease6({}) == Lease()


@pytest.mark.parametrize(
    ("text", "version", "found"),
    [
        ("192.0.2.1 192.0.2.1 2001:db8::1", 4, ("192.0.2.1",)),
        ("192.0.2.1 2001:db8::1", 6, ("2001:db8::1",)),
        ("$(reboot) ; 1.2.3 192.0.2.1\nnameserver", 4, ("192.0.2.1",)),
        ("", 4, ()),
        ("fe80::1%eth0 fe80::1%\0 fe80::1%\x1b[2J fe80::1%\u202e", 6, ("fe80::1%eth0",)),
    ],
)
def test_only_addresses_are_taken(text: str, version: int, found: tuple[str, ...]) -> None:
    assert addresses(text, version) == found


def test_a_lease_is_read_as_it_was_written(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    assert leases.read("nic0") == Told()
    leases.write("nic0", TOLD)
    assert leases.read("nic0") == TOLD
    leases.forget("nic0")
    assert leases.read("nic0") == Told()
    assert list(tmp_path.iterdir()) == []


def test_the_same_lease_is_not_written_again(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.write("nic0", TOLD)
    before = (tmp_path / "nic0.json").stat().st_ino
    leases.write("nic0", TOLD)
    assert (tmp_path / "nic0.json").stat().st_ino == before


@pytest.mark.parametrize(
    "text",
    [*("", "{", "[]", '{"ipv4": 1}', '{"ipv4": {"nameservers": [1]}}'), '{"x":' + "[" * 9999],
)
def test_what_cannot_be_read_is_no_lease(tmp_path: Path, text: str) -> None:
    (tmp_path / "nic0.json").write_text(text)
    assert Leases(tmp_path).read("nic0") == Told()


def test_what_is_no_address_in_a_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "nic0.json").write_text(
        '{"ipv4": {"address": "192.0.2.20\\n/24", "gateway": "2001:db8::1",'
        ' "nameservers": ["192.0.2.53", "192.0.2.54\\noptions debug", "::1", ""]}}'
    )
    assert Leases(tmp_path).read("nic0") == Told(ipv4=Lease("", "", ("192.0.2.53", "192.0.2.54")))


def test_a_zone_in_a_file_makes_no_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "nic0.json").write_text(
        '{"ipv6": {"address": "fe80::2%a\\nb/64", "gateway": "fe80::1%eth0\\nnameserver ::1",'
        ' "nameservers": ["fe80::53%eth0"]}}'
    )
    assert Leases(tmp_path).read("nic0") == Told(ipv6=Lease("", "", ("fe80::53%eth0",)))


def test_what_a_client_puts_in_the_place_of_a_lease_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"ipv4": {"address": "192.0.2.20/24"}}')
    (tmp_path / "nic0.json").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "nic1.json")
    (tmp_path / "nic2.json").mkdir()
    (tmp_path / "nic3.json").write_text(" " * 100_000)
    leases = Leases(tmp_path)
    assert [leases.read(f"nic{number}") for number in range(4)] == [Told()] * 4
