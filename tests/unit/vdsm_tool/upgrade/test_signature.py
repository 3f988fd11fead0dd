# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures, by the real minisign."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from unit.vdsm_tool.upgrade.archives import ARCHITECTURE, Parts
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import archive, signature

Keys = tuple[Path, Path]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Keys]:
    """Make a pair of keys without a password: the public one, the secret one."""

    def make(name: str) -> Keys:
        directory = tmp_path_factory.mktemp(name)
        public, secret = directory / "key.pub", directory / "key"
        command = ("minisign", "-G", "-W", "-p", str(public), "-s", str(secret))
        subprocess.run(command, check=True, capture_output=True)
        return public, secret

    return make


@pytest.fixture(scope="session")
def ours(keys: Callable[[str], Keys]) -> Keys:
    return keys("ours")


@pytest.fixture(scope="session")
def theirs(keys: Callable[[str], Keys]) -> Keys:
    return keys("theirs")


def silent(line: str) -> None:
    """Take a line of progress."""


def check(path: Path, key: Path) -> archive.Archive:
    return archive.check(path, key, ARCHITECTURE, silent)


def test_a_right_signature_tells_its_comment(tmp_path: Path, ours: Keys) -> None:
    public, secret = ours
    parts = Parts()
    parts.signature = signature.sign(parts.manifest(), secret, "vdsm 1.2")
    found = check(parts.write(tmp_path / "a.tar"), public)
    assert (found.is_signed, found.signer) == (True, "vdsm 1.2")


def test_a_missing_signature_is_refused(tmp_path: Path, ours: Keys) -> None:
    with pytest.raises(ToolError, match="not signed, and this host wants a signature"):
        check(Parts().write(tmp_path / "a.tar"), ours[0])


def test_another_key_is_refused(tmp_path: Path, ours: Keys, theirs: Keys) -> None:
    parts = Parts()
    parts.signature = signature.sign(parts.manifest(), theirs[1], "vdsm 1.2")
    with pytest.raises(ToolError, match="its signature is wrong") as caught:
        check(parts.write(tmp_path / "a.tar"), ours[0])
    assert "Do not use it" in caught.value.hint


def test_a_signature_of_another_manifest_is_refused(tmp_path: Path, ours: Keys) -> None:
    parts = Parts(signature=signature.sign(Parts().manifest(), ours[1], "vdsm 1.2"))
    parts.said = {"created": "2026-01-02T00:00:00+00:00"}
    with pytest.raises(ToolError, match="its signature is wrong"):
        check(parts.write(tmp_path / "a.tar"), ours[0])


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 300, b"untrusted comment: x\n\n\n\n"])
def test_noise_for_a_signature_is_refused(tmp_path: Path, ours: Keys, content: bytes) -> None:
    with pytest.raises(ToolError, match="its signature is wrong"):
        check(Parts(signature=content).write(tmp_path / "a.tar"), ours[0])


def test_noise_for_a_key_refuses_everything(tmp_path: Path, ours: Keys) -> None:
    parts = Parts()
    parts.signature = signature.sign(parts.manifest(), ours[1], "vdsm 1.2")
    for content in (b"", b"no key"):
        (tmp_path / "key").write_bytes(content)
        with pytest.raises(ToolError, match="its signature is wrong"):
            check(parts.write(tmp_path / "a.tar"), tmp_path / "key")


def test_a_key_that_cannot_sign_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"no key")
    with pytest.raises(ToolError, match="did not sign it"):
        signature.sign(b"{}", tmp_path / "key", "vdsm 1.2")


def host_of(root: Path) -> Host:
    def run(command: Sequence[str]) -> str:
        done = subprocess.run(
            ("realpath", "-e", f"{root}{command[-1]}"), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ToolError(done.stderr)
        return done.stdout.removeprefix(str(root))

    return Host(root, root / "proc", run)


def test_a_host_without_a_key_wants_no_signature(tmp_path: Path) -> None:
    assert signature.public_key(host_of(tmp_path)) is None


def test_the_host_s_key_is_found_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "etc/vdsm").mkdir(parents=True)
    (tmp_path / "etc/keys").write_text("key")
    (tmp_path / "etc/vdsm/upgrade.pub").symlink_to("../keys")
    assert signature.public_key(host_of(tmp_path)) == tmp_path / "etc/keys"


def test_a_link_that_leads_nowhere_does_not_turn_the_check_off(tmp_path: Path) -> None:
    (tmp_path / "etc/vdsm").mkdir(parents=True)
    (tmp_path / "etc/vdsm/upgrade.pub").symlink_to("gone")
    with pytest.raises(ToolError, match=r"no file /etc/vdsm/upgrade\.pub"):
        signature.public_key(host_of(tmp_path))
