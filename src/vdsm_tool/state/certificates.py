# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the host's certificates are there, belong together and are valid for long enough."""

import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from vdsm_tool.finding import Finding, fail, ok, unknown, warn
from vdsm_tool.pki.authority import understood
from vdsm_tool.pki.files import PkiFiles

_NAME: Final = "certificates"

SOON: Final = datetime.timedelta(days=30)
"""How long before the end a certificate is reported."""


def judge(files: PkiFiles, *, now: datetime.datetime) -> Finding:
    """Return the state of the certificates at `now` (aware)."""
    way_out = "`vdsm-tool pki init`, or let the engine enroll the certificate."
    try:
        with understood():
            authority = x509.load_pem_x509_certificate(files.ca_certificate.read_bytes())
            certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except FileNotFoundError as error:
        return fail(_NAME, f"there is no {error.filename}", way_out)
    except PermissionError as error:
        return unknown(_NAME, f"{error.filename}: {error.strerror}", "Run vdsm-tool as root.")
    except ValueError as error:
        return fail(_NAME, f"not certificates in PEM: {error}", way_out)
    if not files.key.exists():
        return fail(_NAME, f"there is no {files.key}", way_out)
    try:
        with understood():
            certificate.verify_directly_issued_by(authority)
    except (ValueError, InvalidSignature):
        detail = f"{files.certificate} is not signed by {files.ca_certificate}"
        return fail(_NAME, detail, "Enroll the certificate again, or `vdsm-tool pki init --force`.")
    return _judge_time(files, [authority, certificate], now)


def _judge_time(
    files: PkiFiles, certificates: list[x509.Certificate], now: datetime.datetime
) -> Finding:
    begin = max(certificate.not_valid_before_utc for certificate in certificates)
    end = min(certificate.not_valid_after_utc for certificate in certificates)
    renew = "`vdsm-tool pki renew`" if files.ca_key.exists() else "Enroll it from the engine"
    way_out = f"{renew}, then `podman kill --signal=HUP vdsm`."
    if now >= end:
        return fail(_NAME, f"expired on {end:%Y-%m-%d}", way_out)
    if now < begin:
        return fail(_NAME, f"not valid before {begin:%Y-%m-%d}", "Set this host's clock.")
    if end - now < SOON:
        return warn(_NAME, f"expire on {end:%Y-%m-%d}", way_out)
    return ok(_NAME, f"valid until {end:%Y-%m-%d}")
