# SPDX-License-Identifier: GPL-2.0-or-later
"""The authority and the host certificate: extensions, names, validity."""

import datetime
import ssl
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from vdsm_tool.pki.authority import (
    CA_VALIDITY,
    HOST_VALIDITY,
    Identity,
    general_name,
    is_valid,
    load,
    make_authority,
    make_host,
    names_in,
)

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
NAMES = ["node1.example.com", "192.0.2.7", "2001:db8::7", "localhost"]


@pytest.fixture(scope="module")
def authority() -> Identity:
    return make_authority("node1.example.com", now=NOW)


def test_the_authority_may_sign_and_do_nothing_else(authority: Identity) -> None:
    extensions = authority.certificate.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    assert authority.certificate.not_valid_after_utc == NOW + CA_VALIDITY


def test_the_host_certificate_serves_as_server_and_as_client(authority: Identity) -> None:
    certificate = make_host(authority, NAMES, now=NOW).certificate
    certificate.verify_directly_issued_by(authority.certificate)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc == NOW + HOST_VALIDITY


def test_every_name_is_in_the_certificate(authority: Identity) -> None:
    certificate = make_host(authority, NAMES, now=NOW).certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node1.example.com", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ip_address("192.0.2.7"),
        ip_address("2001:db8::7"),
    ]


def test_a_long_name_is_cut_in_the_common_name_only(authority: Identity) -> None:
    name = ".".join(["a" * 40] * 4)
    certificate = make_host(authority, [name], now=NOW).certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


def test_a_host_certificate_does_not_outlive_its_authority(authority: Identity) -> None:
    late = authority.certificate.not_valid_after_utc - datetime.timedelta(days=10)
    certificate = make_host(authority, NAMES, now=late).certificate
    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_an_identity_survives_its_files(authority: Identity) -> None:
    again = load(authority.certificate_pem(), authority.key_pem())
    assert again.certificate == authority.certificate


def test_a_key_of_another_certificate_is_refused(authority: Identity) -> None:
    other = make_authority("other", now=NOW)
    with pytest.raises(ValueError, match="does not belong"):
        load(authority.certificate_pem(), other.key_pem())


@pytest.mark.parametrize(
    "name", ["", "node 1", "node:54321", "http://node", "a..b", "-a", "a" * 64, "nöde", "x" * 300]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        general_name(name)


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    if is_valid(text):
        assert general_name(text) is not None


@given(st.ip_addresses())
def test_every_address_is_an_address(address: IPv4Address | IPv6Address) -> None:
    assert general_name(str(address)) == x509.IPAddress(address)


ODD = {
    "an extension twice": (b"U\x1d\x0e", b"U\x1d\x11"),
    "a kind of name without a type": (b"\x82\x09localhost", b"\xa3\x09localhost"),
    "a version that there is not": (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),
}


@pytest.mark.parametrize("what", ODD)
def test_a_certificate_that_is_not_understood_is_a_wrong_value(
    authority: Identity, what: str
) -> None:
    host = make_host(authority, NAMES, now=NOW)
    old, new = ODD[what]
    der = host.certificate.public_bytes(serialization.Encoding.DER)
    assert old in der
    pem = ssl.DER_cert_to_PEM_cert(der.replace(old, new)).encode()
    with pytest.raises(ValueError, match=r".+"):
        names_in(pem)


def test_a_key_with_a_passphrase_is_a_wrong_value(authority: Identity) -> None:
    sealed = authority.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(ValueError, match=r"(?i)password|encrypted"):
        load(authority.certificate_pem(), sealed)
