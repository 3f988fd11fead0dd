# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of a request."""

import io
from pathlib import Path

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import this_host
from vdsm_tool.net.request import Request, parse, read


def test_parts_may_be_left_out_and_values_stay_as_they_are() -> None:
    request = parse("f", b'{"networks": {"red": {"vlan": "100", "bridged": "true", "x": null}}}')
    attributes = {"vlan": "100", "bridged": "true", "x": None}
    assert request == Request(networks={"red": attributes}, bondings={}, options={})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"networks": []}',
        b'{"network": {}}',
        b"\xff",
        b'{"networks": ' + b'{"a":' * 5000,
    ],
)
def test_what_is_no_request_is_told_by_its_name(content: bytes) -> None:
    with pytest.raises(ToolError) as caught:
        parse("change.json", content)
    assert caught.value.sentence.startswith("change.json is not a network request")
    assert '"networks"' in caught.value.hint


def test_a_relative_path_starts_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "change.json").write_text('{"bondings": {"bond0": {"remove": true}}}')
    (tmp_path / "link").symlink_to(tmp_path / "change.json")
    monkeypatch.setenv("VDSM_TOOL_DIRECTORY", str(tmp_path))
    for name in ("change.json", "link", str(tmp_path / "link")):
        assert read(name, this_host()).bondings == {"bond0": {"remove": True}}


@pytest.mark.parametrize("name", ["missing", "--help", "."])
def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("VDSM_TOOL_DIRECTORY", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        read(name, this_host())
    assert caught.value.sentence == f"{name} cannot be read"


def test_a_file_of_bytes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("VDSM_TOOL_DIRECTORY", str(tmp_path))
    with pytest.raises(ToolError, match="not text"):
        read("bytes", this_host())


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(b'{"options": {"connectivityCheck": false}}')

    monkeypatch.setattr("sys.stdin", Input)
    assert read("-", this_host()).options == {"connectivityCheck": False}
    monkeypatch.setattr(Input, "buffer", io.BytesIO(b" " * (8 * 1024 * 1024 + 1)))
    with pytest.raises(ToolError, match="larger than 8 MiB"):
        read("-", this_host())
