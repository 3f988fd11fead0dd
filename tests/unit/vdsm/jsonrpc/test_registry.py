# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of verbs."""

import pytest

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Params, registry


def handler(_call: Call, _params: Params) -> JSON:
    return None


def test_tables_are_joined() -> None:
    table = registry({"Host.ping": handler}, {"Task.clear": handler})
    assert sorted(table) == ["Host.ping", "Task.clear"]


def test_a_verb_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="twice"):
        registry({"Host.ping": handler}, {"Host.ping": handler})


@pytest.mark.parametrize("name", ["ping", "Host.", ".ping", "Host.a.b", "Host.__x y"])
def test_a_name_that_is_no_verb_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="not a verb"):
        registry({name: handler})
