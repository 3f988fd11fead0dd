# SPDX-License-Identifier: GPL-2.0-or-later
"""Every place of every verb of storage that takes a UUID, found by the schema: nothing else goes
through it, and junk in the other places is a typed error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from process.vdsm.storage.hostile import calls
from process.vdsm.storage.hostile.calls import KEY, Place
from process.vdsm.storage.hostile.world import UNKNOWN, World
from storage.engine import Refused
from vdsm.jsonrpc.errors import Code
from vdsm.jsonrpc.schema import Verb
from vdsm.storage import errors

INVALID = errors.InvalidParameter.number

NO_UUIDS: list[Any] = [
    "../../../etc/passwd",
    "/etc/passwd",
    f"{UNKNOWN}/..",
    f"{UNKNOWN}\n",
    f"\u0661{UNKNOWN[1:]}",
    "\0" * 36,
    "x" * 10_000,
    17,
    ["x"],
    {"a": "b"},
    True,
]

# An engine may call a connection as it likes: its id is only sent back. A volume group belongs to
# block storage.
_ANY_NAME = {"connectionParams", "typeArgs"}

# What ends the pool, or starts what takes long, is left to the tests that are about it.
_ENDING = {"StoragePool.spmStop", "StoragePool.disconnect", "StoragePool.disconnectStorageServer"}

_JUNK: list[Any] = [
    None,
    "",
    "../..",
    "/",
    "x" * 5000,
    "-1",
    -1,
    0,
    1 << 63,
    1 << 200,
    1.5,
    True,
    [],
    {},
    [None],
    {"": None},
    "\0",
    "\n",
    UNKNOWN,
    "\u202e",
]

_VERBS = [pytest.param(verb, id=verb.name) for verb in calls.verbs()]


def _places(verb: Verb) -> list[Place]:
    return [place for place in calls.places(verb, "UUID") if place[0] not in _ANY_NAME]


@pytest.mark.parametrize("verb", _VERBS)
def test_what_is_no_uuid_is_refused_by_its_field(world: World, verb: Verb) -> None:
    before = world.host.snapshot()
    for place in _places(verb):
        field = next(step for step in reversed(place) if step != KEY and isinstance(step, str))
        for value in NO_UUIDS:
            if place[-1] == KEY and not isinstance(value, str):
                continue
            params = calls.with_value(calls.parameters(verb), place, value)
            with pytest.raises(Refused) as caught:
                world.host.call(verb.name, params)
            assert caught.value.code in (INVALID, Code.INVALID_PARAMS), caught.value
            assert field in caught.value.message
            assert len(caught.value.message) < 500
    assert world.host.snapshot() == before


@st.composite
def _junk(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A call with one or two members that are junk, or not there."""
    verbs = [verb for verb in calls.verbs() if verb.name not in _ENDING and verb.parameters]
    verb = draw(st.sampled_from(verbs))
    params = calls.parameters(verb)
    # A place that is seldom valid, so that nothing is ever really done.
    for name in draw(st.lists(st.sampled_from(sorted(params)), min_size=1, max_size=2)):
        if draw(st.integers(0, 4)):
            params[name] = draw(st.sampled_from(_JUNK) | st.text(max_size=40))
        else:
            del params[name]
            break
    return verb.name, params


def test_junk_is_a_typed_error_and_changes_nothing(world: World) -> None:
    now = world.host.snapshot()

    @given(call=_junk())
    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    def see(call: tuple[str, dict[str, Any]]) -> None:
        nonlocal now
        verb, params = call
        code, message = world.host.outcome(verb, params)
        assert code != Code.INTERNAL_ERROR, message
        after = world.host.snapshot()
        if code:
            assert message
            assert after == now
        now = after

    see()
