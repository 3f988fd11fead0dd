# SPDX-License-Identifier: GPL-2.0-or-later
"""The PKI directory: oVirt's layout and modes, and nothing half written."""

import datetime
import os
import stat
from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.pki.authority import Identity, make_authority, make_host
from vdsm_tool.pki.files import PkiFiles

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.fixture
def files(tmp_path: Path) -> PkiFiles:
    return PkiFiles(tmp_path / "pki")


def write(files: PkiFiles) -> tuple[Identity, Identity]:
    authority = make_authority("node1", now=NOW)
    host = make_host(authority, ["node1"], now=NOW)
    files.write(authority=authority, host=host)
    return authority, host


def tree(directory: Path) -> dict[str, int]:
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
        for path in directory.rglob("*")
    }


def test_the_layout_and_the_modes_are_ovirts(files: PkiFiles) -> None:
    write(files)
    assert tree(files.directory) == {
        "ca": 0o700,
        "ca/cakey.pem": 0o400,
        "certs": 0o755,
        "certs/cacert.pem": 0o644,
        "certs/vdsmcert.pem": 0o644,
        "keys": 0o750,
        "keys/vdsmkey.pem": 0o440,
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_key_belongs_to_vdsm_and_kvm(files: PkiFiles) -> None:
    write(files)
    status = files.key.stat()
    assert (status.st_uid, status.st_gid) == (36, 36)
    assert files.key.parent.stat().st_gid == 36
    assert files.ca_key.stat().st_uid == 0


def test_replaced_files_are_kept(files: PkiFiles) -> None:
    _, first = write(files)
    write(files)
    old = files.certificate.with_name("vdsmcert.pem.old")
    assert old.read_bytes() == first.certificate_pem()
    assert files.certificate.read_bytes() != first.certificate_pem()


def test_the_authority_is_read_back(files: PkiFiles) -> None:
    authority, _ = write(files)
    assert files.read_authority().certificate == authority.certificate


def test_without_an_authority_of_its_own_the_host_cannot_renew(files: PkiFiles) -> None:
    with pytest.raises(ToolError, match="not from `vdsm-tool pki init`"):
        files.read_authority()


def test_a_failure_while_writing_leaves_everything_as_it_was(
    files: PkiFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(files)
    before = {path: path.read_bytes() for path in files.directory.rglob("*.pem")}
    real = os.fsync
    calls = []

    def full_disk(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(fd)

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write(files)
    assert {p: p.read_bytes() for p in files.directory.rglob("*") if p.is_file()} == before


def test_every_content_is_on_the_disk_before_the_first_rename(
    files: PkiFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def sync(fd: int) -> None:
        events.append("sync")
        real_sync(fd)

    def rename(path: Path, target: Path) -> Path:
        events.append("rename")
        return real_rename(path, target)

    monkeypatch.setattr("os.fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    write(files)
    assert events == ["sync"] * 4 + ["rename"] * 4 + ["sync"] * 3
