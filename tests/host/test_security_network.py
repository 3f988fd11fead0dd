# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has no certificate of the host's authority gets nothing, and hurts nobody else."""

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from front import pki as authority
from machines import Machine
from security.campaign import ATTACKS
from vdsm.jsonrpc.limits import FrameLimits

ADDRESS = "192.0.2.2"
SILENT = 64


@pytest.fixture(scope="module")
def network(host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """How each attack ended, and what a good client on the host was answered meanwhile."""
    directory = tmp_path_factory.mktemp("pki")
    host.copy_out("/etc/pki/vdsm", directory / "host")
    authority.make(directory / "foreign", name="Another CA")
    expire(directory / "host", directory / "expired")
    pid = host.pid("vdsm")
    names = [str(directory / name) for name in ("host", "foreign", "expired")]
    words = [sys.executable, str(ATTACKS / "network.py"), ADDRESS, *names]
    attack = subprocess.Popen(
        [str(host.tool), "exec", "--peer", host.name, "--", *words], stdout=subprocess.PIPE
    )
    served = []
    while attack.poll() is None:
        served.append(host.client("Host", "echo", "message=served"))
    assert attack.stdout is not None
    report = json.loads(attack.stdout.read())
    return {**report, "served": served, "same": host.pid("vdsm") == pid}


def expire(pki: Path, directory: Path) -> None:
    """Make a certificate of the host's own authority whose time is over."""
    issuer = x509.load_pem_x509_certificate((pki / "certs/cacert.pem").read_bytes())
    signer = serialization.load_pem_private_key((pki / "ca/cakey.pem").read_bytes(), None)
    assert isinstance(signer, CertificateIssuerPrivateKeyTypes)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now - datetime.timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )
    for name in ("certs", "keys"):
        (directory / name).mkdir(parents=True)
    pem = serialization.Encoding.PEM
    (directory / "certs/vdsmcert.pem").write_bytes(certificate.public_bytes(pem))
    (directory / "keys/vdsmkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def test_only_a_certificate_that_counts_opens_a_session(network: Any) -> None:
    assert network["engine"] == "CONNECTED"
    assert {network[who] for who in ("nobody", "foreign", "expired")} == {"closed"}


@pytest.mark.parametrize("way", ["headers", "body", "claimed"])
def test_a_frame_without_an_end_is_cut_off(network: Any, way: str) -> None:
    said, mebibytes = network[way]
    assert said in ("ERROR", "")
    buffers = 8  # of both ends, and of TLS
    assert mebibytes <= FrameLimits().body_bytes // (1 << 20) + buffers


def test_who_never_shakes_hands_is_dropped(network: Any) -> None:
    assert network["silent"] == SILENT


def test_others_are_served_all_the_time(network: Any) -> None:
    assert set(network["served"]) == {"served"}
    assert network["same"]
