# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates and keys as files: names, an identity, the state that `vdsm-tool status` tells.

The first byte chooses: a certificate in PEM, one in DER (put into PEM), a key, or both halves of
the host's identity. Oracle: ValueError (which the callers turn into an error of one sentence) or
names that are texts; a finding, whatever is in the files.
"""

import base64
import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from fuzz.target import require
from vdsm_tool.pki import authority
from vdsm_tool.state import certificates

PREFIX = 1
_NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def run(data: bytes) -> None:
    kind, content = (data[0] if data else 0) % 4, data[1:]
    if kind == 0:
        names(content)
    elif kind == 1:
        pem = to_pem(content)
        names(pem)
        judge(pem)
    elif kind == 2:
        load(_CERTIFICATE, content)
    else:
        load(content, _KEY)


def to_pem(der: bytes) -> bytes:
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def names(pem: bytes) -> None:
    try:
        found = authority.names_in(pem)
    except ValueError:
        return
    require(all(isinstance(name, str) for name in found), "a name that is no text")


def load(certificate: bytes, key: bytes) -> None:
    try:
        identity = authority.load(certificate, key)
    except ValueError:
        return
    require(identity.certificate.public_key() == identity.key.public_key(), "another's key")


@dataclass(frozen=True)
class _File:
    content: bytes
    there: bool = True

    def read_bytes(self) -> bytes:
        return self.content

    def exists(self) -> bool:
        return self.there

    def __str__(self) -> str:
        return "/etc/pki/vdsm/file"


@dataclass(frozen=True)
class _Files:
    """The little of PkiFiles that `judge` asks for."""

    ca_certificate: _File
    certificate: _File
    key: _File = _File(b"")
    ca_key: _File = _File(b"", there=False)


def judge(pem: bytes) -> None:
    for files in (_Files(_File(pem), _File(_CERTIFICATE)), _Files(_File(_CA), _File(pem))):
        finding = certificates.judge(files, now=_NOW)  # type: ignore[arg-type]
        require(bool(finding.detail), "a finding that tells nothing")
        require(len(finding.detail) < 1000, "a finding that repeats the input")


def seeds() -> Mapping[str, bytes]:
    der = x509.load_pem_x509_certificate(_CERTIFICATE).public_bytes(serialization.Encoding.DER)
    ca = x509.load_pem_x509_certificate(_CA).public_bytes(serialization.Encoding.DER)
    return {
        "pem": b"\0" + _CERTIFICATE,
        "host": b"\1" + der,
        "authority": b"\1" + ca,
        "key": b"\2" + _KEY,
        "identity": b"\3" + _CERTIFICATE,
        "cut": b"\1" + der[:200],
        "extension": b"\1" + der.replace(b"U\x1d\x0e", b"U\x1d\x11"),
        "name": b"\1" + der.replace(b"\x82\x0chost", b"\xa3\x0chost"),
        "version": b"\1" + der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),
        "algorithm": b"\1" + der.replace(b"*\x86H\xce=\x02\x01", b"*\x86H\xce=\x02\x07"),
        "nothing": b"\0",
    }


# Fixed, so that an input means the same in every run. Made by `vdsm-tool pki init`, for nobody.
_CA = b"""\
-----BEGIN CERTIFICATE-----
MIIBsTCCAVegAwIBAgIUHLzFplQ1n0wwoqVoB8S8gDOW55owCgYIKoZIzj0EAwIw
NTEcMBoGA1UECgwTdmRzbSBob3N0IGF1dGhvcml0eTEVMBMGA1UEAwwMaG9zdC5l
eGFtcGxlMB4XDTI1MTIzMTAwMDAwMFoXDTM1MTIzMDAwMDAwMFowNTEcMBoGA1UE
CgwTdmRzbSBob3N0IGF1dGhvcml0eTEVMBMGA1UEAwwMaG9zdC5leGFtcGxlMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGVlVoOcrASXWxjJ3dsD/vw7lNS+mZ9J7
K7iF02/GxgR75Sb9MF2Csh0Keju3PW8Kqt2JA3Zf87tQ5GHvs2f5NaNFMEMwEgYD
VR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFJPLWLI/
nOYevb9HdI3k7XWQc2zGMAoGCCqGSM49BAMCA0gAMEUCIQDRC+QSp5d+TLLVyEHa
5MPQoxA+L4Q7Y80wBU4uajtfaQIgRAQ12T0tIC5yI//fabJqbFfGmIlpM/ZLgHsg
xYbwsgc=
-----END CERTIFICATE-----
"""
_CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIICEDCCAbWgAwIBAgIUfFY3o0YHyNofiHmgIZDnlvMEMWwwCgYIKoZIzj0EAwIw
NTEcMBoGA1UECgwTdmRzbSBob3N0IGF1dGhvcml0eTEVMBMGA1UEAwwMaG9zdC5l
eGFtcGxlMB4XDTI1MTIzMTAwMDAwMFoXDTMwMTIzMTAwMDAwMFowJjENMAsGA1UE
CgwEdmRzbTEVMBMGA1UEAwwMaG9zdC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZI
zj0DAQcDQgAEFlOARzoVfL2k0IXwHZ23EWGyXKGYFp2IyrzDNOEZTMA7QuqQ/FwM
v6SfY4gU2m28e3nFvSBfUxkXeTM353hB7qOBsTCBrjAMBgNVHRMBAf8EAjAAMA4G
A1UdDwEB/wQEAwIHgDAdBgNVHSUEFjAUBggrBgEFBQcDAQYIKwYBBQUHAwIwLwYD
VR0RBCgwJoIMaG9zdC5leGFtcGxlhwTAAAIBhxAAAAAAAAAAAAAAAAAAAAABMB0G
A1UdDgQWBBRQ8VwK/P2ODn/7iRorXqdcq2k44DAfBgNVHSMEGDAWgBSTy1iyP5zm
Hr2/R3SN5O11kHNsxjAKBggqhkjOPQQDAgNJADBGAiEApdd7hGwV8jte3fAk69jR
q+KQj9UbDpj9PNbDoP0rgv8CIQD2kAtdfBP8b+/dA/eBZYJLAFU8c4aqxrrKejva
O/42wQ==
-----END CERTIFICATE-----
"""
_KEY = b"""\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmJRZcK91UYePB7Nm
2DY/CkH0Y0BdJj2NCk1Oy/n4jKahRANCAAQWU4BHOhV8vaTQhfAdnbcRYbJcoZgW
nYjKvMM04RlMwDtC6pD8XAy/pJ9jiBTabbx7ecW9IF9TGRd5MzfneEHu
-----END PRIVATE KEY-----
"""
