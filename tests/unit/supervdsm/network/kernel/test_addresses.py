# SPDX-License-Identifier: GPL-2.0-or-later
"""IP addresses, from bytes as the kernel writes them."""

from socket import AF_INET, AF_INET6

from supervdsm.network.kernel import addresses
from supervdsm.network.kernel.model import Address
from unit.supervdsm.network.kernel.packing import Attributes, address

FOREVER = {"ifa_preferred": 0xFFFFFFFF, "ifa_valid": 0xFFFFFFFF, "cstamp": 1, "tstamp": 1}


def test_a_static_address() -> None:
    attrs: Attributes = [
        ("IFA_ADDRESS", "192.0.2.5"),
        ("IFA_LOCAL", "192.0.2.5"),
        ("IFA_CACHEINFO", FOREVER),
    ]
    assert addresses.decode(address(AF_INET, 0, 0x80, attrs)) == Address(7, 4, "192.0.2.5", 24)


def test_our_own_end_of_a_point_to_point_link() -> None:
    attrs: Attributes = [("IFA_ADDRESS", "192.0.2.9"), ("IFA_LOCAL", "192.0.2.5")]
    found = addresses.decode(address(AF_INET, 0, 0x80, attrs))
    assert found is not None
    assert found.address == "192.0.2.5"


def test_a_leased_secondary_address() -> None:
    attrs: Attributes = [
        ("IFA_ADDRESS", "192.0.2.5"),
        ("IFA_LOCAL", "192.0.2.5"),
        ("IFA_CACHEINFO", FOREVER | {"ifa_preferred": 300, "ifa_valid": 600}),
    ]
    assert addresses.decode(address(AF_INET, 0, 0x01, attrs)) == Address(
        7, 4, "192.0.2.5", 24, secondary=True, dynamic=True, lifetime=600
    )


def test_a_lease_at_its_very_end_is_still_one() -> None:
    attrs: Attributes = [
        ("IFA_LOCAL", "192.0.2.5"),
        ("IFA_CACHEINFO", FOREVER | {"ifa_preferred": 0, "ifa_valid": 0}),
    ]
    found = addresses.decode(address(AF_INET, 0, 0, attrs))
    assert found is not None
    assert (found.dynamic, found.lifetime) == (True, 1)


def test_a_link_local_address() -> None:
    found = addresses.decode(address(AF_INET6, 253, 0x80, [("IFA_ADDRESS", "fe80::1")], 64))
    assert found == Address(7, 6, "fe80::1", 64, link_local=True)


def test_an_address_from_a_router_advertisement() -> None:
    attrs: Attributes = [("IFA_ADDRESS", "2001:db8::1"), ("IFA_PROTO", 2)]
    found = addresses.decode(address(AF_INET6, 0, 0x100, attrs, 64))
    assert found == Address(7, 6, "2001:db8::1", 64, dynamic=True, autoconf=True, lifetime=1)


def test_an_address_of_another_family() -> None:
    assert addresses.decode(address(28, 0, 0x80, [("IFA_ADDRESS", "192.0.2.1")])) is None
