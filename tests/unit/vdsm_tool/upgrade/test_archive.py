# SPDX-License-Identifier: GPL-2.0-or-later
"""Archives that must be refused, each for its reason, and one that must not."""

import io
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.vdsm_tool.upgrade.archives import (
    ARCHITECTURE,
    Parts,
    configuration,
    digest,
    docker_archive,
    tar,
)
from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import archive
from vdsm_tool.upgrade.model import Pair


def silent(line: str) -> None:
    """Take a line of progress."""


def check(path: Path, architecture: str | None = ARCHITECTURE) -> archive.Archive:
    return archive.check(path, None, architecture, silent)


def refused(path: Path) -> str:
    with pytest.raises(ToolError) as caught:
        check(path)
    assert caught.value.hint
    assert caught.value.sentence.startswith(f"{path.name} is refused: ")
    return caught.value.sentence


def test_a_whole_archive_is_its_pair(tmp_path: Path) -> None:
    parts = Parts()
    found = check(parts.write(tmp_path / "a.tar"))
    vdsm, supervdsm = digest(parts.vdsm), digest(parts.supervdsm)
    assert found.pair == Pair(vdsm, supervdsm, "1.2", "7", "abc", ARCHITECTURE)
    assert (found.is_signed, found.signer) == (False, None)


def test_a_signature_without_a_key_is_not_looked_at(tmp_path: Path) -> None:
    found = check(Parts(signature=b"anything").write(tmp_path / "a.tar"))
    assert (found.is_signed, found.signer) == (True, None)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (Parts(said={"format": 2}), "has format 2; this vdsm-tool knows 1"),
        (Parts(said={"version": "../../etc"}), "$.version"),
        (Parts(said={"contract": ""}), "$.contract"),
        (Parts(said={"extra": 1}), "unknown field `extra`"),
        (Parts(said={"images": {"vdsm": "0" * 64}}), "missing required field `supervdsm`"),
        (Parts(said={"images": {"vdsm": "A" * 64, "supervdsm": "0" * 64}}), "$.images.vdsm"),
        (Parts(said={"images": {"vdsm": "1" * 64, "supervdsm": "0" * 64}}), "and 000000"),
        (Parts(said={"files": {}}), "names no files"),
        (Parts(said={"files": {"images.tar": {"sha256": "0" * 64, "size": -1}}}), "size"),
        (Parts(said={"files": {"images.tar": {"sha256": "0" * 64, "size": 7}}}), "and 7 in its"),
        (Parts(said={"files": {"x": {"sha256": "0" * 64, "size": 7}}}), "names x"),
        (Parts(said={"version": "1.3"}), "version is 1.2 in its images, and 1.3 in its manifest"),
        (Parts(said={"contract": "8"}), "contract is 7 in its images, and 8 in its manifest"),
        (Parts(said={"revision": "x"}), "revision is abc in its images, and x in its manifest"),
        (Parts(tags=["localhost/other:latest"]), "bring the names localhost/other:latest"),
        (Parts(vdsm=configuration("vdsm", version="1.3")), "org.opencontainers.image.version is"),
        (Parts(vdsm=configuration("vdsm", contract="8")), "org.ovirt.vdsm.contract is 8 in"),
        (Parts(vdsm=configuration("vdsm", contract="")), "has no label org.ovirt.vdsm.contract"),
        (Parts(vdsm=configuration("vdsm", architecture="arm64")), "arm64; this host is amd64"),
        (Parts(vdsm=configuration("supervdsm", revision="b")), "are both supervdsm's image"),
        (Parts(vdsm=b"{"), "the configuration of its image"),
        (Parts(images=tar({"manifest.json": b"[]"})), "holds the images nothing"),
        (Parts(images=tar({"x": b""})), "lack the file 'manifest.json'"),
        (Parts(images=tar({"manifest.json": b"{}"})), "the manifest.json of its images is wrong"),
        (Parts(images=b"x" * 1024), "it is no tar"),
        (Parts(images=docker_archive(configuration("vdsm"))), "it holds the images"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, parts: Parts, reason: str) -> None:
    assert reason in refused(parts.write(tmp_path / "a.tar"))


def test_a_layer_that_is_missing_is_told(tmp_path: Path) -> None:
    config = configuration("vdsm")
    entry = f'[{{"Config": "{digest(config)}.json", "RepoTags": [], "Layers": ["gone.tar"]}}]'
    images = tar({f"{digest(config)}.json": config, "manifest.json": entry.encode()})
    assert "lacks the layer 'gone.tar'" in refused(Parts(images=images).write(tmp_path / "a.tar"))


def test_a_configuration_that_was_changed_is_told(tmp_path: Path) -> None:
    entry = f'[{{"Config": "{"0" * 64}.json", "RepoTags": [], "Layers": []}}]'
    images = tar({f"{'0' * 64}.json": b"{}", "manifest.json": entry.encode()})
    assert "it was changed" in refused(Parts(images=images).write(tmp_path / "a.tar"))


def test_another_architecture_is_refused_by_label(tmp_path: Path) -> None:
    parts = Parts(
        vdsm=configuration("vdsm", "arm64"),
        supervdsm=configuration("supervdsm", "arm64"),
        said={"architecture": "arm64"},
    )
    path = parts.write(tmp_path / "a.tar")
    assert "is for another architecture: arm64; this host is amd64" in refused(path)
    assert check(path, None).pair.architecture == "arm64"


# --- the tar around it ------------------------------------------------------------------------


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int) -> Path:
    with tarfile.open(path, "w", format=form) as made:
        for info, data in members:
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return path


def test_members_of_other_kinds_are_refused(tmp_path: Path) -> None:
    members = Parts().members()
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
        odd = tarfile.TarInfo("manifest.json")
        odd.type = kind
        odd.linkname = "/etc/passwd"
        images = (tarfile.TarInfo("images.tar"), members["images.tar"])
        path = packed(tmp_path / "a.tar", (odd, b""), images, form=tarfile.USTAR_FORMAT)
        assert "manifest.json" in refused(path)


def test_long_names_and_extensions_are_refused(tmp_path: Path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        long = (tarfile.TarInfo("m" * 300), b"x")
        path = packed(tmp_path / "a.tar", long, form=form)
        assert "neither a regular file nor a link" in refused(path)


@pytest.mark.parametrize(
    "order",
    [
        ["images.tar", "manifest.json"],
        ["manifest.json"],
        ["images.tar"],
        ["manifest.json", "images.tar", "images.tar"],
        ["manifest.json", "manifest.json", "images.tar"],
        ["manifest.json", "images.tar", "manifest.json.minisig"],
        ["manifest.json", "images.tar", "other"],
        ["./manifest.json", "./images.tar"],
        [],
    ],
)
def test_only_the_known_members_in_their_order(tmp_path: Path, order: list[str]) -> None:
    content = {"manifest.json.minisig": b"", "other": b"", **Parts().members()}
    members = [(tarfile.TarInfo(name), content.get(name, b"")) for name in order]
    assert refused(packed(tmp_path / "a.tar", *members, form=tarfile.USTAR_FORMAT))


def test_a_manifest_without_bounds_is_refused(tmp_path: Path) -> None:
    members = {"manifest.json": b" " * 70_000, "images.tar": b""}
    (tmp_path / "a.tar").write_bytes(tar(members))
    assert "manifest.json is larger than 65536 bytes" in refused(tmp_path / "a.tar")


def test_trailing_garbage_is_refused(tmp_path: Path) -> None:
    path = Parts().write(tmp_path / "a.tar")
    whole = path.read_bytes()
    for garbage in (b"x", b"\0" * 511 + b"x", b"\0" * 20_000, tar({"more": b""})):
        path.write_bytes(whole + garbage)
        assert "something follows its end" in refused(path)


def test_a_filling_that_hides_something_is_refused(tmp_path: Path) -> None:
    path = Parts().write(tmp_path / "a.tar")
    content = bytearray(path.read_bytes())
    size = len(Parts().manifest())
    content[512 + size] = 1
    path.write_bytes(content)
    assert "it hides something behind manifest.json" in refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(part=st.floats(min_value=0, max_value=1, exclude_max=True))
def test_cut_short_anywhere_it_is_refused(tmp_path: Path, part: float) -> None:
    path = Parts().write(tmp_path / "a.tar")
    whole = path.read_bytes()
    needed = len(whole.rstrip(b"\0")) + 1024  # what comes later is filling of tar's own
    path.write_bytes(whole[: int(min(len(whole), needed) * part)])
    assert "is refused" in refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(position=st.integers(min_value=0), bits=st.integers(min_value=1, max_value=255))
def test_any_changed_byte_changes_nothing_or_is_refused(
    tmp_path: Path, position: int, bits: int
) -> None:
    path = Parts().write(tmp_path / "a.tar")
    right = check(path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= bits
    path.write_bytes(content)
    try:
        found = check(path)
    except ToolError:
        return
    # Only what nobody reads may change unseen (a member's date), or what is said for people.
    assert (found.pair.vdsm, found.pair.supervdsm) == (right.pair.vdsm, right.pair.supervdsm)
    assert found.manifest.files == right.manifest.files
    assert found.pair == right.pair


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(content=st.binary(max_size=3000))
def test_noise_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    refused(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        assert "it is not a file" in refused(path)


# --- its digest while it is read --------------------------------------------------------------


def test_who_takes_the_pieces_never_has_all_of_a_changed_file(tmp_path: Path) -> None:
    parts = Parts(images=docker_archive(configuration("vdsm"), configuration("supervdsm")))
    path = parts.write(tmp_path / "a.tar")
    found = check(path)
    content = bytearray(path.read_bytes())
    content[found.images.offset + 700] ^= 1
    path.write_bytes(content)
    taken = []
    with path.open("rb") as file:
        pieces = archive.chunks(file, found.manifest, found.images, silent, "reading")
        with pytest.raises(ToolError, match="was changed or damaged"):
            taken.extend(pieces)
    assert len(b"".join(taken)) < found.images.size


# --- making one -------------------------------------------------------------------------------


def make(target: Path, images: bytes) -> archive.Archive:
    def save(file: BinaryIO) -> Pair:
        file.write(images)
        ids = digest(configuration("vdsm")), digest(configuration("supervdsm"))
        return Pair(*ids, "1.2", "7", "abc", ARCHITECTURE)

    return archive.create(target, save, None, silent)


def test_what_create_makes_is_right(tmp_path: Path) -> None:
    images = docker_archive(configuration("vdsm"), configuration("supervdsm"))
    made = make(tmp_path / "a.tar", images)
    assert check(tmp_path / "a.tar").pair == made.pair
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    with tarfile.open(tmp_path / "a.tar") as opened:
        assert opened.getnames() == ["manifest.json", "images.tar"]


def test_what_create_cannot_make_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"older")
    with pytest.raises(ToolError):
        make(tmp_path / "a.tar", docker_archive(configuration("vdsm")))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == b"older"
