# SPDX-License-Identifier: GPL-2.0-or-later
"""Images in a file: reading them, and making one file of two."""

import io

import pytest

from unit.vdsm_tool.upgrade.archives import configuration, digest, docker_archive
from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import docker_archive as reader
from vdsm_tool.upgrade import tarball


def read(content: bytes) -> list[str]:
    return [image.id for image in reader.read(io.BytesIO(content), 0, len(content))]


def merged(*contents: bytes) -> bytes:
    target = io.BytesIO()
    reader.merge([io.BytesIO(content) for content in contents], target)
    return target.getvalue()


def test_two_become_one_without_names_and_shared_layers_once() -> None:
    one, other = configuration("vdsm"), configuration("supervdsm")
    both = merged(docker_archive(one, tags=["a:1"]), docker_archive(other, tags=["b:1"]))
    assert read(both) == [digest(one), digest(other)]
    names = [member.name for member in tarball.members(io.BytesIO(both), 0, len(both), most=9)]
    assert len(names) == len(set(names)) == 4


def test_one_that_is_cut_short_is_not_merged() -> None:
    content = docker_archive(configuration("vdsm"))
    with pytest.raises(ToolError):
        merged(content[:-12_000])


def test_a_configuration_without_bounds_is_not_read() -> None:
    huge = b'{"architecture": "' + b"x" * 1_100_000 + b'"}'
    with pytest.raises(ToolError, match="is larger than"):
        read(docker_archive(huge))


def test_an_image_without_labels_is_a_candidate_all_the_same() -> None:
    content = docker_archive(b'{"config": {"Labels": null}}')
    (found,) = reader.read(io.BytesIO(content), 0, len(content))
    assert (found.labels, found.architecture) == ({}, "")
