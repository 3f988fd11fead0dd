# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the certificates of a host are (oVirt's layout), and how they are written.

certs/cacert.pem    0644 root      the authority's certificate
certs/vdsmcert.pem  0644 root      the host's certificate
keys/vdsmkey.pem    0440 vdsm:kvm  its key; vdsm and qemu read it
ca/cakey.pem        0400 root      the authority's key; only vdsm-tool reads it
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vdsm_contract.paths import KVM_GID, VDSM_UID
from vdsm_tool.errors import ToolError
from vdsm_tool.pki.authority import Identity, load, names_in

OLD_SUFFIX: Final = ".old"
"""What a replaced file is kept as."""


@dataclass(frozen=True)
class _Place:
    """Where a file is below the PKI directory, who owns it and what its directory is like."""

    path: str
    mode: int
    uid: int
    gid: int
    directory_mode: int
    directory_gid: int = 0


CA_CERTIFICATE: Final = _Place("certs/cacert.pem", 0o644, 0, 0, 0o755)
HOST_CERTIFICATE: Final = _Place("certs/vdsmcert.pem", 0o644, 0, 0, 0o755)
HOST_KEY: Final = _Place("keys/vdsmkey.pem", 0o440, VDSM_UID, KVM_GID, 0o750, KVM_GID)
CA_KEY: Final = _Place("ca/cakey.pem", 0o400, 0, 0, 0o700)

_ALL: Final = (CA_KEY, CA_CERTIFICATE, HOST_KEY, HOST_CERTIFICATE)


@dataclass(frozen=True)
class PkiFiles:
    """The files of a PKI directory."""

    directory: Path

    @property
    def ca_certificate(self) -> Path:
        """The authority's certificate."""
        return self.directory / CA_CERTIFICATE.path

    @property
    def certificate(self) -> Path:
        """The host's certificate."""
        return self.directory / HOST_CERTIFICATE.path

    @property
    def key(self) -> Path:
        """The host's key."""
        return self.directory / HOST_KEY.path

    @property
    def ca_key(self) -> Path:
        """The authority's key."""
        return self.directory / CA_KEY.path

    def existing(self) -> list[Path]:
        """Return those of the files that are there."""
        paths = (self.directory / place.path for place in _ALL)
        return [path for path in paths if path.exists()]

    def read_authority(self) -> Identity:
        """Return the authority; raises ToolError when this host has none of its own."""
        if not self.ca_key.exists():
            raise ToolError(
                f"There is no {self.ca_key}: the certificates are not from `vdsm-tool pki init`",
                "Let the engine enroll the certificate, or `vdsm-tool pki init`.",
            )
        try:
            return load(self.ca_certificate.read_bytes(), self.ca_key.read_bytes())
        except ValueError as error:
            raise ToolError(
                f"{self.ca_key} cannot be used: {error}", "`vdsm-tool pki init --force`."
            ) from error

    def certified_names(self) -> list[str]:
        """Return the names that the host's certificate carries; none without a readable one."""
        try:
            return names_in(self.certificate.read_bytes())
        except (OSError, ValueError):
            return []

    def write(self, *, authority: Identity | None, host: Identity) -> None:
        """Write the authority (None: keep it) and the host's certificate; replaced files are kept.

        All content is on the disk before the first file is replaced, so that a full disk or a
        missing permission leaves everything as it was.
        """
        contents: dict[_Place, bytes] = {}
        if authority is not None:
            contents[CA_KEY] = authority.key_pem()
            contents[CA_CERTIFICATE] = authority.certificate_pem()
        contents[HOST_KEY] = host.key_pem()
        contents[HOST_CERTIFICATE] = host.certificate_pem()
        self._replace(contents)

    def _replace(self, contents: Mapping[_Place, bytes]) -> None:
        with ExitStack() as stack:
            ready = {
                place: stack.enter_context(_written(self._directory(place), place, content))
                for place, content in contents.items()
            }
            for place, temporary in ready.items():
                target = self.directory / place.path
                _keep_old(target)
                temporary.rename(target)
        for directory in {(self.directory / place.path).parent for place in contents}:
            _sync_directory(directory)

    def _directory(self, place: _Place) -> Path:
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        directory = (self.directory / place.path).parent
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            _own(directory, 0, place.directory_gid)
            directory.chmod(place.directory_mode)
        return directory


@contextmanager
def _written(directory: Path, place: _Place, content: bytes) -> Iterator[Path]:
    """Write a temporary file with its final owner and mode; unlink it unless it was renamed."""
    fd, name = tempfile.mkstemp(dir=directory, prefix=f".{Path(place.path).name}.")
    temporary = Path(name)
    try:
        with open(fd, "wb") as file:
            file.write(content)
            _own(temporary, place.uid, place.gid)
            os.fchmod(file.fileno(), place.mode)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _own(path: Path, uid: int, gid: int) -> None:
    # Only root can give files away. Anyone may make a PKI of their own elsewhere, to try things.
    if os.geteuid() == 0:
        os.chown(path, uid, gid)


def _keep_old(target: Path) -> None:
    if target.exists():
        old = target.with_name(target.name + OLD_SUFFIX)
        old.unlink(missing_ok=True)
        old.hardlink_to(target)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
