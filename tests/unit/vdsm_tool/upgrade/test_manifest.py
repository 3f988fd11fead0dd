# SPDX-License-Identifier: GPL-2.0-or-later
"""The manifest of an archive, from whoever wrote it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import manifest
from vdsm_tool.upgrade.model import Pair

PAIR = Pair("1" * 64, "2" * 64, "1.2~rc1", "7", "abc", "amd64")
WHOLE = manifest.make(PAIR, "2026-01-01T00:00:00+00:00", {"x": manifest.File("3" * 64, 7)})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
)


def test_what_is_written_is_read() -> None:
    assert manifest.parse(manifest.encode(WHOLE)) == WHOLE
    assert WHOLE.pair == PAIR


@given(field=st.sampled_from(list(WHOLE.__struct_fields__)), value=JSON)
def test_any_value_is_refused_or_fit(field: str, value: object) -> None:
    fields = json.loads(manifest.encode(WHOLE))
    try:
        found = manifest.parse(json.dumps({**fields, field: value}).encode())
    except ToolError:
        return
    assert getattr(found, field) == value or field == "files"
    assert "/" not in found.pair.name
    assert found.pair.name.isprintable()


@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(ToolError):
        manifest.parse(content)


@pytest.mark.parametrize("field", WHOLE.__struct_fields__)
def test_a_field_that_is_missing_is_named(field: str) -> None:
    fields = json.loads(manifest.encode(WHOLE))
    del fields[field]
    with pytest.raises(ToolError, match=f"missing required field `{field}`"):
        manifest.parse(json.dumps(fields).encode())


def test_a_deep_one_is_refused() -> None:
    with pytest.raises(ToolError):
        manifest.parse(b'{"format": 1, "files": ' + b'{"a":' * 10_000)


def test_a_later_format_says_what_to_do() -> None:
    with pytest.raises(ToolError, match="has format 9; this vdsm-tool knows 1") as caught:
        manifest.parse(b'{"format": 9, "other": {}}')
    assert "smaller steps" in caught.value.hint
