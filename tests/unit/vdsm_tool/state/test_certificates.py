# SPDX-License-Identifier: GPL-2.0-or-later
"""The judgement of the host's certificates over their life."""

import datetime
import ssl
from pathlib import Path

import pytest

from vdsm_tool.finding import Level
from vdsm_tool.pki.authority import HOST_VALIDITY, make_authority, make_host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state.certificates import judge

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.fixture
def files(tmp_path: Path) -> PkiFiles:
    files = PkiFiles(tmp_path)
    authority = make_authority("node1", now=NOW)
    files.write(authority=authority, host=make_host(authority, ["node1"], now=NOW))
    return files


@pytest.mark.parametrize(
    ("age", "level", "says"),
    [
        (datetime.timedelta(), Level.OK, ""),
        (HOST_VALIDITY - datetime.timedelta(days=7), Level.WARN, "pki renew"),
        (HOST_VALIDITY, Level.FAIL, "pki renew"),
        (datetime.timedelta(days=-2), Level.FAIL, "clock"),
    ],
)
def test_each_age_has_its_level_and_way_out(
    files: PkiFiles, age: datetime.timedelta, level: Level, says: str
) -> None:
    finding = judge(files, now=NOW + age)
    assert finding.level is level
    assert says in finding.way_out


def test_an_engines_certificate_is_renewed_by_the_engine(files: PkiFiles) -> None:
    files.ca_key.unlink()
    assert "engine" in judge(files, now=NOW + HOST_VALIDITY).way_out


@pytest.mark.parametrize("name", ["ca_certificate", "certificate", "key"])
def test_a_missing_file_is_named(files: PkiFiles, name: str) -> None:
    path = getattr(files, name)
    path.unlink()
    finding = judge(files, now=NOW)
    assert finding.level is Level.FAIL
    assert str(path) in finding.detail


def test_a_foreign_authority_is_noticed(files: PkiFiles) -> None:
    files.ca_certificate.write_bytes(make_authority("other", now=NOW).certificate_pem())
    finding = judge(files, now=NOW)
    assert finding.level is Level.FAIL
    assert "not signed by" in finding.detail


def test_what_is_no_certificate_is_noticed(files: PkiFiles) -> None:
    files.certificate.write_text("nothing")
    assert judge(files, now=NOW).level is Level.FAIL


def test_an_algorithm_that_is_not_known_is_a_finding(files: PkiFiles) -> None:
    certificate = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    odd = certificate.replace(b"*\x86H\xce=\x02\x01", b"*\x86H\xce=\x02\x07")
    files.ca_certificate.write_text(ssl.DER_cert_to_PEM_cert(odd))
    assert judge(files, now=NOW).level is Level.FAIL
