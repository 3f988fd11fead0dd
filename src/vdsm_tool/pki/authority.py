# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate authority of one host, and the host certificate that it signs; no files.

An engine signs its hosts' certificates with its own authority. A host without an engine gets an
authority of its own, and, as oVirt does, one certificate that serves both ways: vdsm shows it as a
server, and whoever calls vdsm from this host shows it as a client. Source of the extensions: RFC
5280.
"""

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_VALIDITY: Final = datetime.timedelta(days=3650)
HOST_VALIDITY: Final = datetime.timedelta(days=5 * 365)
"""oVirt's engine gives its hosts as much. Nothing renews it by itself where there is no engine."""

_CLOCK_SKEW: Final = datetime.timedelta(hours=24)
"""How far the clock of another machine may be behind ours."""

_MAX_COMMON_NAME: Final = 64  # RFC 5280, ub-common-name

PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Identity:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: PrivateKey

    def certificate_pem(self) -> bytes:
        """Return the certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the key in PEM (PKCS #8), without a passphrase."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def load(certificate_pem: bytes, key_pem: bytes) -> Identity:
    """Return the identity in two PEM texts; raises ValueError when they are not what we make."""
    with understood():
        key = serialization.load_pem_private_key(key_pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the key is not an elliptic curve key")  # noqa: TRY004
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        if certificate.public_key() != key.public_key():
            raise ValueError("the key does not belong to the certificate")
    return Identity(certificate, key)


@contextmanager
def understood() -> Iterator[None]:
    """Raise ValueError also for what is well-formed and yet not understood: a version, an
    extension twice, an algorithm, an odd name, or a key with a passphrase."""
    try:
        yield
    except (
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise ValueError(str(error)) from error


def make_authority(host_name: str, *, now: datetime.datetime) -> Identity:
    """Make a self-signed authority for the host of this name, valid from `now` (aware) on."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("vdsm host authority", host_name)
    public = key.public_key()
    usage = _usage(sign_certificates=True)
    certificate = (
        _builder(name, name, public, now, CA_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def make_host(authority: Identity, names: Sequence[str], *, now: datetime.datetime) -> Identity:
    """Make a host certificate for names and addresses (the first is its CN), signed by `authority`.

    Raises ValueError when `names` is empty or holds what is neither a DNS name nor an address.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    issuer = authority.certificate
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    alternatives = [general_name(name) for name in names]
    # A certificate must not outlive the one that vouches for it.
    validity = min(HOST_VALIDITY, issuer.not_valid_after_utc - now)
    certificate = (
        _builder(_name("vdsm", names[0]), issuer.subject, public, now, validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    return Identity(certificate, key)


def general_name(name: str) -> x509.GeneralName:
    """Return `name` as a subject alternative name: an address, or else a DNS name.

    Raises ValueError when it is neither.
    """
    address = parse_address(name)
    if address is not None:
        return x509.IPAddress(address)
    labels = name.rstrip(".").split(".")
    if len(name) > 253 or not all(_is_label(label) for label in labels):
        raise ValueError(f"{name!r} is neither a host name nor an address")
    return x509.DNSName(name.rstrip("."))


def names_in(certificate_pem: bytes) -> list[str]:
    """Return the names and addresses of a certificate. Raises ValueError when it is none."""
    with understood():
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        extensions = certificate.extensions
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def is_valid(name: str) -> bool:
    """Return whether `name` is a host name or an address."""
    try:
        general_name(name)
    except ValueError:
        return False
    return True


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that `text` is, None when it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_label(label: str) -> bool:
    plain = label.replace("-", "").replace("_", "")
    return 0 < len(label) <= 63 and plain.isascii() and plain.isalnum() and label[0] != "-"


def _name(organization: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_MAX_COMMON_NAME]),
        ]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    validity: datetime.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + validity)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,  # RSA only
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
