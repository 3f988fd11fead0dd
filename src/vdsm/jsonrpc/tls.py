# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutual TLS with the files that oVirt's engine puts on a host.

Any certificate of the host's CA may call, as upstream allows: the CA belongs to the engine.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


class TlsError(Exception):
    """The files of the TLS identity cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Key, certificate and CA of one side, as PEM files."""

    key: Path
    certificate: Path
    ca: Path

    @classmethod
    def below(cls, directory: Path) -> Identity:
        """oVirt's names of the three files below its PKI directory."""
        certs = directory / "certs"
        return cls(directory / "keys/vdsmkey.pem", certs / "vdsmcert.pem", certs / "cacert.pem")


def server_context(identity: Identity) -> ssl.SSLContext:
    """TLS 1.2 or newer, client certificates required. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, identity)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(identity: Identity, *, check_name: bool) -> ssl.SSLContext:
    """The other side. `check_name` demands that the certificate names the host that is called."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_name
    _load(context, identity)
    return context


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    for path in (identity.key, identity.certificate, identity.ca):
        try:
            path.open("rb").close()
        except OSError as error:
            hint = "`vdsm-tool pki init` makes it on a host without an engine"
            raise TlsError(f"{path} cannot be read: {error.strerror}; {hint}") from None
    try:
        context.load_cert_chain(identity.certificate, identity.key)
        context.load_verify_locations(identity.ca)
    except (ssl.SSLError, OSError) as error:
        directory = identity.certificate.parent
        raise TlsError(f"the key or a certificate ({directory}) is not usable: {error}") from None
