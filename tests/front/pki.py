# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate authority for one test run, with vdsm's files in oVirt's places."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vdsm.jsonrpc.tls import Identity


def make(directory: Path, name: str = "Test CA") -> Identity:
    """Makes a CA and a certificate for 127.0.0.1 below `directory`."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(name, name, ca_key, ca_key, is_ca=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate("vdsm.test", name, key, ca_key, is_ca=False)
    identity = Identity.below(directory)
    for path in (identity.key, identity.certificate, identity.ca):
        path.parent.mkdir(parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    identity.key.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    identity.certificate.write_bytes(certificate.public_bytes(pem))
    identity.ca.write_bytes(ca.public_bytes(pem))
    return identity


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(subject), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
    )
    return builder.sign(signer, hashes.SHA256())
